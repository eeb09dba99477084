#!/usr/bin/env python3
"""Checks that each module includes only what it may: itself and the DEPENDS of its smeta_module() in src/CMakeLists.txt.
mpi.h and hdf5.h stay in src/comm and src/io; "../" counts as an include of the module it leads to; drivers may use all.
Prints one line a fault and exits 1 if there is any."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
calls = re.findall(r"^ *smeta_module\((.*?)\)$", (root / "src/CMakeLists.txt").read_text(), re.M | re.S)
allowed, folders = {}, {}  # module -> modules it may include; folder below src/ -> module
for call in calls:
    name, *words = call.split()
    keyword, modules, folder = None, {name}, name
    for word in words:
        if word in ("FOLDER", "DEPENDS", "PUBLIC", "PRIVATE"):
            keyword = word
        elif keyword == "FOLDER":
            folder = word
        elif keyword == "DEPENDS":
            modules.add(word)
    allowed[name], folders[folder] = modules, name


def module_of(file):
    """The module whose folder, the deepest that fits, holds the file; a library inside a module shares its headers."""
    parts = file.parent.parts
    fits = ["/".join(parts[:n]) for n in range(len(parts), 0, -1) if "/".join(parts[:n]) in folders]
    return folders[fits[0]] if fits else None


faults = []
for module, may in allowed.items():
    for word in sorted(may - allowed.keys()):
        faults.append(f"src/CMakeLists.txt: {module} depends on '{word}', which is no module")
for folder in ("src", "include/smeta", "drivers"):
    for file in sorted((root / folder).rglob("*.[ch]pp")):
        relative = file.relative_to(root)
        module = None if folder == "drivers" else module_of(file.relative_to(root / folder))
        if folder != "drivers" and module is None:
            faults.append(f"{relative}: in no smeta_module of src/CMakeLists.txt")
            continue
        own = {file.relative_to(root / folder).parts[0]}
        for match in re.finditer(r'^\s*#\s*include\s*[<"]([^>"\n]+)[>"]', file.read_text(), re.M):
            number = match.string.count("\n", 0, match.end()) + 1
            what, where = match.group(1), f"{relative}:{number}"
            parts = what.split("/")
            if re.fullmatch(r"(mpi|hdf5)(_\w+)?\.h", parts[-1]) and relative.parts[:2] not in (("src", "comm"), ("src", "io")):
                faults.append(f"{where}: {what} outside src/comm and src/io")
            target = parts[1] if parts[0] == "smeta" and len(parts) > 2 else None
            if ".." in parts:
                path = (file.parent / what).resolve()
                target = module_of(path.relative_to(root / "src")) if path.is_relative_to(root / "src") else "?"
            if module and target and target not in allowed[module] | own:
                faults.append(f"{where}: {module} may not include {what} (it may: {' '.join(sorted(allowed[module]))})")

print("\n".join(faults) if faults else f"layers: {len(allowed)} modules, no fault")
sys.exit(1 if faults else 0)
