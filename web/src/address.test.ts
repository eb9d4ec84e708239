import { expect, it } from 'vitest';
import { queryIn, withQuery } from './address';

it('reads the query of an address', () => {
  expect(queryIn('http://here/?q=two%20dogs+%26%20a%20cat')).toBe('two dogs & a cat');
  expect(queryIn('http://here/')).toBe('');
});

it('writes the query into an address and out of it again', () => {
  const asked = withQuery('http://here/?x=1', 'two dogs & ü');
  expect(queryIn(asked)).toBe('two dogs & ü');
  expect(withQuery(asked, '')).toBe('http://here/?x=1');
});
