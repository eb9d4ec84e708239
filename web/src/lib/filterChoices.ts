import type { Column } from './api';

/** A column of the filter panel, with the words for it. */
export interface LabelledColumn extends Column {
  readonly label: string;
}

const LABELS: Record<string, string> = {
  date: 'Year',
  folder: 'Folder',
  kind: 'File type',
  camera: 'Camera',
  tags: 'Tag',
};

/**
 * Return the columns with the values that contain the searched words, in any order and case. If they name a
 * column, all its values match.
 */
export function matchingColumns(columns: readonly Column[], searched: string): LabelledColumn[] {
  const words = searched.toLowerCase().split(/\s+/).filter(Boolean);
  return columns.flatMap((column) => {
    const label = LABELS[column.name] ?? column.name;
    const values = column.values.filter(({ value }) => {
      const text = `${label} ${value}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    return values.length > 0 ? [{ ...column, label, values }] : [];
  });
}
