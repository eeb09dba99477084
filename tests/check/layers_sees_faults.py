"""check_layers.py says yes to a sound tree and names each kind of fault in a broken one."""
import pathlib
import subprocess
import sys
import tempfile

CMAKE = "smeta_module(core PRIVATE fmt::fmt)\nsmeta_module(io DEPENDS core\n             PRIVATE hdf5::hdf5)\nsmeta_module(nn DEPENDS core)\n"
SOUND = {
    "src/nn/a.cpp": '#include <vector>\n#include "smeta/core/x.hpp"\n#include "a_impl.hpp"\n',
    "src/io/h5.cpp": "#include <hdf5.h>\n",
    "drivers/main.cpp": '#include "smeta/nn/x.hpp"\n',
}
FAULTS = {
    "src/nn/b.cpp": '#include "smeta/io/x.hpp"\n',
    "include/smeta/core/c.hpp": '#include "smeta/nn/x.hpp"\n',
    "src/core/d.cpp": "#include <mpi.h>\n",
    "drivers/e.cpp": "#include <hdf5.h>\n",
    "src/nn/f.cpp": '#include "../io/h5.hpp"\n',
    "src/other/g.cpp": "",
}


def run(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"src/CMakeLists.txt": CMAKE, **files}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return subprocess.run([sys.executable, sys.argv[1], folder], capture_output=True, text=True)


sound = run(SOUND)
assert sound.returncode == 0, sound.stdout
broken = run({**SOUND, **FAULTS})
assert broken.returncode == 1
for name in FAULTS:
    assert any(line.startswith(name) for line in broken.stdout.splitlines()), f"{name} not reported:\n{broken.stdout}"
assert len(broken.stdout.splitlines()) == len(FAULTS), broken.stdout
