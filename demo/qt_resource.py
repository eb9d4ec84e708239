"""Reader of Qt resource files (`.rcc`), in which some packages keep their pictures.

Layout, all big-endian: `qres`, version, then the offsets of three sections. The tree holds one fixed
size node a file or folder, the names are UTF-16 with a length and a hash before them, the data blocks
have a four-byte length. Only stored and zlib-packed data is read: pictures are never packed with zstd.
"""

import struct
import zlib
from pathlib import PurePosixPath
from typing import NamedTuple

_FOLDER, _ZLIB = 0x02, 0x01
_NODE_SIZE = {1: 14, 2: 22, 3: 22}


class _Node(NamedTuple):
    name_offset: int
    flags: int
    first: int  # children of a folder; language of a file
    second: int  # first child of a folder; data offset of a file


class QtResource:
    """The files inside one `.rcc`.

    Raises:
        ValueError: the bytes are not a Qt resource file.
    """

    def __init__(self, content: bytes) -> None:
        if content[:4] != b"qres":
            raise ValueError("expected a Qt resource file, which begins with 'qres'")
        self._content = content
        version, self._tree, self._data, self._names = struct.unpack_from(">4I", content, 4)
        self._node_size = _NODE_SIZE[version]

    def read(self, path: str) -> bytes:
        """The bytes of the file at `path`; KeyError when there is none."""
        node = self._node(0)
        for part in PurePosixPath(path).parts:
            node = self._child(node, part)
        return self._file_bytes(node)

    def _node(self, number: int) -> _Node:
        offset = self._tree + number * self._node_size
        return _Node(*struct.unpack_from(">IHII", self._content, offset))

    def _child(self, folder: _Node, name: str) -> _Node:
        for number in range(folder.second, folder.second + folder.first):
            node = self._node(number)
            if self._name(node) == name:
                return node
        raise KeyError(name)

    def _name(self, node: _Node) -> str:
        offset = self._names + node.name_offset
        (length,) = struct.unpack_from(">H", self._content, offset)
        return self._content[offset + 6 : offset + 6 + 2 * length].decode("utf-16-be")

    def _file_bytes(self, node: _Node) -> bytes:
        if node.flags & _FOLDER:
            raise KeyError("expected a file, found a folder")
        offset = self._data + node.second
        (length,) = struct.unpack_from(">I", self._content, offset)
        stored = self._content[offset + 4 : offset + 4 + length]
        return zlib.decompress(stored[4:]) if node.flags & _ZLIB else stored
