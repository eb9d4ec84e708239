import { formatCount } from './format';

/** {raw: 3, linked_folder: 1} -> "3 raw, 1 linked folder"; what is not a number is left out. */
export function formatCounts(counts: Readonly<Record<string, unknown>>): string {
  return Object.entries(counts)
    .filter(([, count]) => typeof count === 'number' && count > 0)
    .map(([kind, count]) => `${formatCount(count as number)} ${kind.replaceAll('_', ' ')}`)
    .join(', ');
}
