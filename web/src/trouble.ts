import { AnswerError, ProblemError } from './api';

/** What went wrong. */
export interface Trouble {
  /** One sentence for the reader. */
  readonly says: string;
  /** Whether the same question may well be answered later; false where the question itself is refused. */
  readonly isPassing: boolean;
}

/** What a failed request means to the reader. */
export function troubleBy(cause: unknown): Trouble {
  if (cause instanceof ProblemError) return { says: cause.message, isPassing: cause.status >= 500 };
  if (cause instanceof AnswerError) return { says: cause.message, isPassing: true };
  return { says: 'The server does not answer. Is snapseek still running?', isPassing: true };
}
