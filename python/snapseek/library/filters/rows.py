"""The rows of a shard for which a filter holds."""

import numpy as np

from snapseek.cancellation import check_cancelled
from snapseek.library.filters.facet_store import FacetStore
from snapseek.library.filters.facets import Flags
from snapseek.library.filters.tree import Every, Not, Some, Tree


def rows_of(tree: Tree, facets: FacetStore) -> Flags:
    """(rows,) flags of a tree that `resolved` gave; not to be changed.

    Raises OperationCancelledError between conditions once nobody waits for the result.
    """
    check_cancelled()
    if isinstance(tree, Not):
        return np.logical_not(rows_of(tree.part, facets))
    if not isinstance(tree, Every | Some):
        return facets.flags(tree)
    join = np.logical_and if isinstance(tree, Every) else np.logical_or
    found = np.full(facets.rows, isinstance(tree, Every), np.bool_)
    for part in tree.parts:
        join(found, rows_of(part, facets), out=found)
    return found
