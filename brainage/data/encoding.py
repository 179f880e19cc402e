"""Encodings of text files."""

from __future__ import annotations

import codecs

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encoding_of(start: bytes) -> str:
    """Return the encoding of text that begins with these bytes: UTF-8, or UTF-16 with a byte-order mark."""
    is_utf16 = start.startswith(_UTF16) and not start.startswith(codecs.BOM_UTF32_LE)
    return "utf-16" if is_utf16 else "utf-8-sig"
