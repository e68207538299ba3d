"""Machine code: a module of LLVM's language goes in, object code comes out as bytes, and functions of it by address.

Only this file knows llvmlite, an extra. Making object code takes tens of milliseconds, loading it again about one.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from gradcli.errors import WorkError

#: The first LLVM that knows what is written here, pointers without a type and `splat`.
_LLVM = 20


class Processor(NamedTuple):
    """What code is made for: LLVM's name of a processor and what it can do beyond that, as in `+avx2,+fma`."""

    name: str
    features: str = ""


@cache
def _llvm() -> Any:
    """llvmlite, ready to make code; the first call takes about 60 ms, or raises ImportError or OSError."""
    import llvmlite.binding

    if llvmlite.binding.llvm_version_info[0] < _LLVM:
        raise ImportError(f"version {llvmlite.__version__} is too old, 0.45 is needed")
    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    return llvmlite.binding


@cache
def installed() -> str | None:
    """The compiler that is installed, as in `llvmlite 0.50.0`, without loading it; None without one."""
    try:
        import llvmlite
    except (ImportError, OSError):
        return None
    return f"llvmlite {llvmlite.__version__}" if hasattr(llvmlite, "__version__") else None


@cache
def missing() -> str | None:
    """Why no machine code can be made here; None where it can."""
    try:
        _llvm()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return "llvmlite is not installed" if isinstance(error, ModuleNotFoundError) else f"llvmlite fails: {error}"
    return None


def _loaded_llvm() -> Any:
    if (reason := missing()) is not None:
        raise WorkError(f"no machine code: {reason}", hint='pip install "gradcli[jit]"')
    return _llvm()


@cache
def host() -> Processor:
    """This machine's."""
    llvm = _loaded_llvm()
    return Processor(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


def has_wide_vectors() -> bool:
    """Whether this machine's registers hold vectors of 64 bytes, whose lanes one instruction brings into any order."""
    return "+avx512f" in host().features.split(",")


def register_bytes() -> int:
    """How many bytes one of this machine's registers holds: 32 stands for two of Arm's, too."""
    return 64 if has_wide_vectors() else 32


def vectors_for_results() -> int:
    """For how many vectors of 64 bytes there are registers, beside what these are computed of."""
    return 24 if has_wide_vectors() else 6


@cache
def compiler_version() -> str:
    """Of LLVM, whose releases may make other code of the same text."""
    return ".".join(str(part) for part in _loaded_llvm().llvm_version_info)


@cache
def _target_machine(processor: Processor) -> Any:
    # Position-independent, since the code is loaded wherever there is room. What LLVM does beyond the first level takes
    # a tenth longer and gives the same code, but for the order of a few instructions.
    target = _loaded_llvm().Target.from_default_triple()
    return target.create_target_machine(
        cpu=processor.name, features=processor.features, opt=1, reloc="pic", codemodel="jitdefault"
    )


def _optimized(text: str, machine: Any, optimize: bool) -> Any:
    llvm = _loaded_llvm()
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise ValueError(f"LLVM refuses the code: {error}") from error
    if optimize:
        # Variables as registers: all the other passes take many times as long and find nothing.
        few = llvm.create_new_module_pass_manager()
        few.add_sroa_pass()
        if "<1 x " in text:
            # LLVM ends the process at vectors of one element that are not in the form that it expects.
            few.add_instruction_combine_pass()
        few.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2)))
    return module


def object_code(text: str, processor: Processor | None = None, optimize: bool = True) -> bytes:
    """Machine code of a module, to be loaded or kept; for this machine unless another is given.

    Expressions of vectors gain nothing by `optimize`; loops and addresses around them do.
    """
    machine = _target_machine(processor or host())
    return bytes(machine.emit_object(_optimized(text, machine, optimize)))


class MachineCode:
    """Loaded object code, which stays in memory as long as this object does."""

    def __init__(self, code: bytes) -> None:
        """Trusts the code: it must be what `object_code` gave, on a machine of this kind. LLVM ends the process where
        it is damaged."""
        llvm = _loaded_llvm()
        # It compiles the empty module that it has to be given as well: that shall take no time.
        idle = llvm.Target.from_default_triple().create_target_machine(opt=0, codemodel="jitdefault")
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), idle)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, function: str) -> int:
        """Where a function of the module starts, for `ctypes`."""
        address = self._engine.get_function_address(function)
        if not address:
            raise KeyError(function)
        return address
