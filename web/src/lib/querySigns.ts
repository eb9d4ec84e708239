/** What can be typed between the words of a query. */
export const QUERY_SIGNS: readonly (readonly [sign: string, help: string])[] = [
  ['horse + stripes', 'Both together'],
  ['beach - people', 'The first without the second'],
  ['2:snow', 'Twice as important'],
  ['"red car"', 'These words as one term'],
  ['year:2024', 'Only pictures of this year'],
  ['-tag:draft', 'Only pictures without this tag'],
];
