#!/usr/bin/env python3
"""Writes tissue_positions.csv beside every tissue_positions.parquet of a Visium HD section, for `smeta ingest`.

    python scripts/visium_hd_positions.py OUTS [OUTS ...]

OUTS: Space Ranger's `outs` (every bin size below `binned_outputs`), a folder square_008um, or a .parquet file. A CSV that is
there and not older is kept. Needs pyarrow (pip install pyarrow); memory: one row group."""

import argparse
import os
import pathlib
import sys

COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]


def files_of(path):
    if path.is_file():
        return [path]
    places = ["tissue_positions.parquet", "spatial/tissue_positions.parquet"]
    places += [f"{folder}square_*um/spatial/tissue_positions.parquet" for folder in ("", "binned_outputs/")]
    return sorted(file for place in places for file in path.glob(place))


def convert(source):
    """The number of rows written; None where the CSV is there already."""
    import pyarrow.csv
    import pyarrow.parquet

    target = source.with_suffix(".csv")
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return None
    table = pyarrow.parquet.ParquetFile(source)
    missing = [name for name in COLUMNS if name not in table.schema_arrow.names]
    if missing:
        raise ValueError(f"{source}: expected columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with pyarrow.csv.CSVWriter(temporary, pyarrow.schema([table.schema_arrow.field(name) for name in COLUMNS])) as writer:
            for batch in table.iter_batches(columns=COLUMNS):
                writer.write_batch(batch.select(COLUMNS))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return table.metadata.num_rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outs", nargs="+", type=pathlib.Path)
    for path in parser.parse_args().outs:
        files = files_of(path)
        if not files:
            sys.exit(f"{path}: expected a tissue_positions.parquet, or bins below binned_outputs/; found none")
        for file in files:
            rows = convert(file)
            print(f"{file.with_suffix('.csv')}\t{'kept' if rows is None else f'{rows} rows'}")


if __name__ == "__main__":
    try:
        main()
    except ImportError:
        sys.exit("pyarrow is missing: pip install pyarrow")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
