import { formatCount, formatPlural } from './format';
import { formatBytes } from './formatMeasure';
import type { UpgradeCost } from './jobs';

/** 90 -> "about 2 minutes", 7200 -> "about 2 hours". */
export function formatLongTime(seconds: number): string {
  const minutes = Math.max(1, Math.round(seconds / 60));
  return `about ${minutes < 90 ? formatPlural(minutes, 'minute') : formatPlural(Math.round(minutes / 60), 'hour')}`;
}

/** What the model is better at, and what it costs. */
export function costText({ download_bytes, embedded, pictures, seconds }: UpgradeCost): string {
  const size = download_bytes === null ? 'a download of unknown size, ' : formatBytes(download_bytes) + ', ';
  const time = `${formatLongTime(seconds)} for your ${formatPlural(pictures - embedded, 'picture')}`;
  return `CLIP understands sentences: ${download_bytes === 0 ? '' : size}${time}; searching goes on meanwhile.`;
}

/** What the user should know before: an interrupted upgrade, missing files. */
export function costNotes({ embedded, pictures, missing }: UpgradeCost): string[] {
  return [
    ...(embedded > 0
      ? [`${formatCount(embedded)} of ${formatPlural(pictures, 'picture')} are done already.`]
      : []),
    ...(missing
      ? [
          `${formatPlural(missing, 'picture')} without a file now: embedded from the preview, which is less accurate, until a sync finds the file.`,
        ]
      : []),
  ];
}

/** Why an upgrade cannot start; null if it can. */
export function obstacle(cost: UpgradeCost): string | null {
  if (cost.imported > 0)
    return `${formatPlural(cost.imported, 'imported vector')} cannot be embedded with another model. To remove them: snapseek upgrade --drop-imports`;
  if (!cost.has_space) {
    const free = cost.free_bytes === null ? '' : `; ${formatBytes(cost.free_bytes)} are free`;
    return `It needs ${formatBytes(cost.disk_bytes)} of free disk space${free}.`;
  }
  return null;
}
