"""Native code made for Arm and run here, by an emulator of that processor that works on this process's memory."""

from __future__ import annotations

import ctypes
import math
import mmap
import struct
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from unicorn import UC_ARCH_ARM64, UC_HOOK_CODE, UC_HOOK_MEM_INVALID, UC_MODE_ARM, UC_PROT_ALL, Uc
from unicorn.arm64_const import (
    UC_ARM64_REG_CPACR_EL1,
    UC_ARM64_REG_D0,
    UC_ARM64_REG_D1,
    UC_ARM64_REG_LR,
    UC_ARM64_REG_SP,
    UC_ARM64_REG_X0,
)

from gradcli.engine.native import processor
from gradcli.engine.native.processor import Processor

ARM = Processor("neoverse-n1")
# Where functions return to, and how much memory the emulator learns to know at once.
_END, _CHUNK = 0x1000, 1 << 20
# The C library's functions that LLVM may call are this process's; each has the place of one instruction, a return.
_FROM_OUTSIDE = ("memset", "memcpy", "memmove", "fmod", "fmodf")
_RETURN = 0xD65F03C0.to_bytes(4, "little")
# Kinds of sections, and the flag of those that are loaded.
_SYMBOLS, _RELOCATIONS, _LOADED = 2, 4, 2
# Relocations: the lower twelve bits of an address, shifted to the right by so many.
_LOWER_BITS = {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}
_PAGE_OF_ADDRESS, _JUMP, _CALL = 275, 282, 283


@cache
def _machine() -> Any:
    llvm = processor._loaded_llvm()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    return target.create_target_machine(cpu=ARM.name, opt=1, reloc="pic", codemodel="small")


class ArmCode:
    """A module of LLVM's language as code for Arm: what `MachineCode` is for this machine."""

    def __init__(self, text: str, optimize: bool = True) -> None:
        self._link(_machine().emit_object(processor._optimized(text, _machine(), optimize)))
        self._stack = np.zeros(_CHUNK, np.uint8)
        self._running = Lock()
        self._emulator = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self._emulator.reg_write(UC_ARM64_REG_CPACR_EL1, 3 << 20)  # vectors are not forbidden
        self._emulator.hook_add(UC_HOOK_MEM_INVALID, self._map)
        outside = self._base + len(_RETURN) * len(_FROM_OUTSIDE) - 1
        self._emulator.hook_add(UC_HOOK_CODE, self._call_outside, begin=self._base, end=outside)

    def function(self, name: str = "k") -> Callable[..., None]:
        """Takes integers and addresses of this process."""

        def call(*arguments: int) -> None:
            with self._running:
                for number, argument in enumerate(arguments):
                    self._emulator.reg_write(UC_ARM64_REG_X0 + number, int(argument))
                self._emulator.reg_write(UC_ARM64_REG_SP, (self._stack.ctypes.data + _CHUNK) // 16 * 16)
                self._emulator.reg_write(UC_ARM64_REG_LR, _END)
                self._emulator.emu_start(self._places[name], _END)

        return call

    def _map(self, emulator: Uc, _access: int, address: int, size: int, *_: Any) -> bool:
        """Addresses are the same inside and outside; what is nobody's memory here ends the process, as it should."""
        for place in {address // _CHUNK, (address + size - 1) // _CHUNK}:
            if place and place not in {begin // _CHUNK for begin, *_ in emulator.mem_regions()}:
                emulator.mem_map_ptr(place * _CHUNK, _CHUNK, UC_PROT_ALL, place * _CHUNK)
        return address >= _CHUNK

    def _call_outside(self, emulator: Uc, address: int, *_: Any) -> None:
        name = _FROM_OUTSIDE[(address - self._base) // len(_RETURN)]
        if name in ("fmod", "fmodf"):
            code = "<d" if name == "fmod" else "<f"
            wide = [emulator.reg_read(place).to_bytes(8, "little") for place in (UC_ARM64_REG_D0, UC_ARM64_REG_D1)]
            a, b = (struct.unpack_from(code, each)[0] for each in wide)
            defined = math.isfinite(a) and b and not math.isnan(b)
            result = math.fmod(a, b) if defined else math.nan
            emulator.reg_write(UC_ARM64_REG_D0, int.from_bytes(struct.pack(code, result), "little"))
        else:
            place, value, count = (emulator.reg_read(UC_ARM64_REG_X0 + k) for k in range(3))
            (ctypes.memset if name == "memset" else ctypes.memmove)(
                place, value & 0xFF if name == "memset" else value, count
            )

    def _link(self, code: bytes) -> None:
        """Load an ELF file behind the places of functions from outside."""
        (start,), (size, count, names) = struct.unpack_from("<Q", code, 40), struct.unpack_from("<HHH", code, 58)
        sections = [_Section(code, start + size * number) for number in range(count)]
        loaded = [s for s in sections if s.flags & _LOADED and sections[names].text(s.name) != ".eh_frame"]
        end = len(_RETURN) * len(_FROM_OUTSIDE)
        for section in loaded:
            section.place = -(-end // section.alignment) * section.alignment
            end = section.place + section.size
        self._memory = mmap.mmap(-1, end)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._memory[: len(_RETURN) * len(_FROM_OUTSIDE)] = _RETURN * len(_FROM_OUTSIDE)
        for section in loaded:
            self._memory[section.place : section.place + section.size] = section.data
        (table,) = (section for section in sections if section.kind == _SYMBOLS)
        self._places = {name: self._base + len(_RETURN) * number for number, name in enumerate(_FROM_OUTSIDE)}
        symbols: list[int | None] = []
        for at in range(0, table.size, 24):
            name, _, _, index, value, _ = struct.unpack_from("<IBBHQQ", table.data, at)
            label = sections[table.link].text(name)
            if 0 < index < count:
                self._places.setdefault(label, self._base + sections[index].place + value)
                symbols.append(self._base + sections[index].place + value)
            else:
                symbols.append(self._places.get(label))
        for relocations in sections:
            if relocations.kind == _RELOCATIONS and sections[relocations.info] in loaded:
                for at in range(0, relocations.size, 24):
                    offset, info, addend = struct.unpack_from("<QQq", relocations.data, at)
                    place = sections[relocations.info].place + offset
                    symbol = symbols[info >> 32]
                    assert symbol is not None, "a function from outside that is none of these"
                    self._relocate(place, info & 0xFFFFFFFF, symbol + addend)

    def _relocate(self, place: int, kind: int, address: int) -> None:
        (word,) = struct.unpack_from("<I", self._memory, place)
        if kind == _PAGE_OF_ADDRESS:
            pages = (address >> 12) - (self._base + place >> 12)
            word |= (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
        elif kind in (_JUMP, _CALL):
            word |= address - self._base - place >> 2 & 0x3FFFFFF
        else:
            word |= (address & 0xFFF) >> _LOWER_BITS[kind] << 10
        struct.pack_into("<I", self._memory, place, word)


class _Section:
    """A section of an ELF file of 64 bits."""

    def __init__(self, code: bytes, at: int) -> None:
        header = struct.unpack_from("<IIQQQQIIQQ", code, at)
        self.name, self.kind, self.flags, _, offset, self.size, self.link, self.info, self.alignment, _ = header
        self.alignment, self.place = max(1, self.alignment), 0
        self.data = code[offset : offset + self.size]

    def text(self, at: int) -> str:
        return self.data[at : self.data.index(b"\0", at)].decode()
