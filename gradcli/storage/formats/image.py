"""Pictures as arrays, with pillow: height, width and, unless there is one, channels."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.machine.limits import tell
from gradcli.storage.formats.source import Form, Source, as_array, decoding, package, refuse_large
from gradcli.storage.header import Array

# What modes become that are no plain numbers, and the channels and dtypes of all.
_PLAIN = {"P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB"}
_PLAIN |= {"La": "LA", "RGBa": "RGBA"}
_FORMS = {"1": (0, "bool"), "L": (0, "uint8"), "LA": (2, "uint8"), "RGB": (3, "uint8"), "RGBA": (4, "uint8")}
_FORMS |= {"I": (0, "int32"), "F": (0, "float32")}
_FORMS |= dict.fromkeys(["I;16", "I;16L", "I;16B"], (0, "uint16"))


def look(source: Source) -> Form | None:
    """By the header of the picture."""
    with _opened(source) as (_, _, form):
        return form


def load(source: Source) -> Array:
    """The picture, its first one where it has several."""
    with _opened(source) as (picture, mode, form):
        refuse_large(source, form)
        if getattr(picture, "n_frames", 1) > 1:
            tell(f"{source.name} holds {picture.n_frames} images, of which the first is read")
            picture.seek(0)
        array = as_array(source, picture if picture.mode == mode else picture.convert(mode))
    if array.shape != form[0]:
        raise WorkError(f"{source.name} is corrupt: it declares {form[0]} and has {array.shape}")
    return array.astype(form[1], copy=False)


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[tuple[Any, str, Form]]:
    """A picture, of which nothing is decoded yet, the mode that it is read in, and the form that it then has."""
    pillow = package("PIL.Image", "image", source.path)
    with decoding(source), warnings.catch_warnings():
        # That it is large is checked here, against the memory that may be used.
        warnings.simplefilter("ignore")
        try:
            picture = pillow.open(source.file)
        except pillow.DecompressionBombError:
            raise WorkError(f"{source.name} declares more pixels than pillow decodes") from None
        except pillow.UnidentifiedImageError:
            raise WorkError(f"{source.name} is not an image that can be read") from None
        with picture:
            mode = _PLAIN.get(picture.mode, picture.mode)
            if "transparency" in picture.info and mode == "RGB" and picture.mode == "P":
                mode = "RGBA"
            if mode not in _FORMS:
                raise WorkError(f"{source.name} is an image of mode {mode}, which is not supported")
            channels, dtype = _FORMS[mode]
            size = (picture.height, picture.width)
            yield picture, mode, ((*size, channels) if channels else size, np.dtype(dtype))
