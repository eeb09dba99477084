#!/usr/bin/env python3
"""The network of docs/numerics.md in plain PyTorch, trained on the problem of bench_train_step (CPU, float32).

A peer for comparison, written as a PyTorch user would write it: dense mini-batches gathered from a dense matrix in memory,
autograd, torch.optim.AdamW. Prints one JSON object a repetition, like bench_train_step.
    python3 benchmarks/peers/pytorch_twin.py [--threads 1] [--batch 128] [--steps 40] [--repetitions 5]
Debian's python3-torch is enough.
"""

import argparse
import json
import math
import time

import torch
from torch import nn

MMD_SCALES = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 5, 10, 15, 20, 25, 30, 35, 100, 1e3, 1e4, 1e5, 1e6]


def block(n_in, n_out, dropout=0.0):
    layers = [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out, eps=1e-3, momentum=0.01), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout)) if dropout else nn.Sequential(*layers)


class Twin(nn.Module):
    def __init__(self, genes, metabolites, samples, hidden=128, latent=10, code=8):
        super().__init__()
        self.encode_st, self.encode_sm = block(genes, hidden, 0.1), block(metabolites, hidden, 0.1)
        self.mean, self.var = nn.Linear(2 * hidden, latent), nn.Linear(2 * hidden, latent)
        self.single = nn.Linear(hidden, latent)
        self.code_st, self.code_sm = nn.Embedding(samples, code), nn.Embedding(samples, code)
        self.decode_st, self.decode_sm = block(latent + code, hidden), block(latent + code, hidden)
        self.scale, self.theta, self.gate = (nn.Linear(hidden, genes) for _ in range(3))
        self.sm_mean, self.sm_sd = nn.Linear(hidden, metabolites), nn.Linear(hidden, metabolites)

    def loss_st(self, z, x, library, sample):
        h = self.decode_st(torch.cat([z, self.code_st(sample)], 1))
        log_mu = torch.log_softmax(self.scale(h), 1) + torch.log(library)
        log_theta, gate = self.theta(h), self.gate(h)
        theta = torch.exp(log_theta)
        r = theta + 1e-6
        logit = log_mu - log_theta
        lp = (r * nn.functional.logsigmoid(-logit) + x * nn.functional.logsigmoid(logit)
              + torch.lgamma(r + x) - torch.lgamma(1 + x) - torch.lgamma(r))
        softplus = nn.functional.softplus
        at_zero = softplus(lp - gate) - softplus(-gate)
        above = lp - gate - softplus(-gate)
        return -torch.where(x == 0, at_zero, above).sum(1).mean()

    def loss_sm(self, z, y, sample):
        h = self.decode_sm(torch.cat([z, self.code_sm(sample)], 1))
        log_sd = self.sm_sd(h)
        nll = 0.5 * ((y - self.sm_mean(h)) * torch.exp(-log_sd)) ** 2 + log_sd + 0.5 * math.log(2 * math.pi)
        return nll.sum(1).mean()

    def forward(self, x, y, sample):
        q_st, q_sm = self.encode_st(torch.log1p(x)), self.encode_sm(y)
        q = torch.cat([q_sm, q_st], 1)
        mu, var = self.mean(q), torch.exp(self.var(q)) + 1e-4
        z = mu + torch.sqrt(var) * torch.randn_like(mu)
        library = x.sum(1, keepdim=True)
        kl = (0.5 * (var + mu * mu - 1 - torch.log(var))).sum(1).mean()
        loss = 8 * self.loss_st(z, x, library, sample) + 2 * self.loss_sm(z, y, sample)
        loss = loss + 8 * self.loss_st(self.single(q_st), x, library, sample)
        loss = loss + 2 * self.loss_sm(self.single(q_sm), y, sample)
        return loss + kl + 10 * mmd(mu, sample)


def mmd(latent, sample):
    groups = [latent[sample == s] for s in torch.unique(sample)]
    groups = [g for g in groups if len(g) > 2]

    def kernel(a, b):
        distance = ((a[:, None] - b[None]) ** 2).sum(2)
        return sum(torch.exp(-distance / (2 * s)) for s in MMD_SCALES).mean()

    total = latent.new_zeros(())
    for i, a in enumerate(groups):
        for b in groups[i + 1:]:
            total = total + kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--genes", type=int, default=1841)
    parser.add_argument("--metabolites", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5120)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)

    x = torch.poisson(3 * torch.rand(options.rows, options.genes)) + 1
    x = x * (torch.rand_like(x) < 0.3)
    y = torch.rand(options.rows, options.metabolites) * (torch.rand(options.rows, options.metabolites) < 0.3)
    y = 1000 * y / y.sum(1, keepdim=True)
    sample = torch.randint(0, options.samples, (options.rows,))
    model = Twin(options.genes, options.metabolites, options.samples)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-6)

    def steps(count):
        order = torch.randperm(options.rows)
        for k in range(count):
            at = (k * options.batch) % (options.rows - options.batch + 1)
            rows = order[at:at + options.batch]
            optimiser.zero_grad()
            loss = model(x[rows], y[rows], sample[rows])
            loss.backward()
            optimiser.step()
        return loss

    first = steps(5).item()
    for _ in range(options.repetitions):
        begin = time.perf_counter()
        last = steps(options.steps).item()
        seconds = time.perf_counter() - begin
        if not last < first:
            raise SystemExit(f"training does not reduce the loss: {first} -> {last}")
        print(json.dumps({"bench": "pytorch_twin", "torch": torch.__version__, "threads": options.threads,
                          "batch": options.batch, "genes": options.genes, "metabolites": options.metabolites,
                          "seconds": seconds, "rate": options.steps * options.batch / seconds}), flush=True)


main()
