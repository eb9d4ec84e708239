import { describe, expect, it } from 'vitest';
import { AnswerError, ProblemError } from './api';
import { troubleBy } from './trouble';

describe('troubleBy', () => {
  it('tells a refusal in the words of the server; only a server that fails is worth another try', () => {
    expect(troubleBy(new ProblemError(400, 'No.'))).toEqual({ says: 'No.', isPassing: false });
    expect(troubleBy(new ProblemError(503, 'Busy.'))).toEqual({ says: 'Busy.', isPassing: true });
  });

  it('lets an answer of another form be tried again', () => {
    expect(troubleBy(new AnswerError('Odd.'))).toEqual({ says: 'Odd.', isPassing: true });
  });

  it('takes all else for a server that is gone', () => {
    expect(troubleBy(new TypeError('Failed to fetch'))).toMatchObject({ isPassing: true });
  });
});
