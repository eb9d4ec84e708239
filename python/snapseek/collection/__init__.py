"""A collection: several libraries, its partitions, searched as one.

    collection = snapseek.Library.open("photos/collection.json")
    for hit in collection.search("two dogs", limit=20):
        print(hit.id, hit.uri)

A partition is an ordinary library: a directory, a directory in an object store, or one or more
`snapseek serve` processes. `manifest` is the file that lists them, `collection` the public class with the
read interface of a library, on `collection_snapshot`, one state of it. `partitions` asks them: `local` in
threads of this process, `remote` over HTTP. `partition_state` is what a partition answers, in either case.

docs/SCALING.md is the guide, docs/decisions/collections.md says why.
"""

from snapseek.collection.collection import Collection
from snapseek.collection.manifest import Manifest, PartitionEntry, is_manifest, manifest_path
from snapseek.collection.membership import add_partition, create_collection, remove_partition

__all__ = [
    "Collection",
    "Manifest",
    "PartitionEntry",
    "add_partition",
    "create_collection",
    "is_manifest",
    "manifest_path",
    "remove_partition",
]
