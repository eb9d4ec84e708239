/**
 * Assign a pool slot to each id, in the order of `ids`. An id keeps its slot; new ids get the lowest free
 * ones. A tile with the same picture therefore stays unchanged, and the other tile elements are reused.
 */
export function assignSlots(
  previous: ReadonlyMap<number, number>,
  ids: readonly number[],
): Map<number, number> {
  const used = new Set(ids.flatMap((id) => previous.get(id) ?? []));
  let next = 0;
  const nextFree = () => {
    while (used.has(next)) next += 1;
    return next++;
  };
  return new Map(ids.map((id) => [id, previous.get(id) ?? nextFree()]));
}
