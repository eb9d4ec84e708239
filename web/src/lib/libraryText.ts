import { formatDate, formatPlural } from './format';
import type { Source } from './jobs';

const KINDS: Record<string, string> = {
  files: 'single files of',
  urls: 'list of urls',
  tar: 'archive',
  parquet: 'table',
};

/** What a source is and how it stands: "1,404 pictures", "12 pictures · not there now". */
export function sourceText({ kind, pictures, state }: Source): string {
  const count = formatPlural(pictures, state === 'imported' ? 'imported vector' : 'picture');
  const notes: Record<string, string> = {
    missing: 'not there now; its pictures are kept',
    unconfirmed: 'named by the library only; its originals are not shown',
  };
  return [KINDS[kind], count, notes[state]].filter(Boolean).join(' · ');
}

/** "2026-11-30T03:18:29+00:00" -> "30 November 2026, 03:18"; in the time zone of this browser. */
export function syncText(ended: string | null): string {
  const time = ended === null ? NaN : Date.parse(ended);
  if (Number.isNaN(time)) return 'not yet';
  const local = new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString();
  return formatDate(local) ?? 'not yet';
}
