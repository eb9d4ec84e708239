import { describe, expect, it } from 'vitest';
import { offsetAt, stopAt, timelineStops, yearMarks, yearStep } from './timeline';

const months = [
  { month: '2024-06', count: 100, offset: 0 },
  { month: '2024-05', count: 400, offset: 100 },
  { month: '2022-12', count: 25, offset: 500 },
];
const stops = timelineStops({ months, total: 534, undated: 9 });

it('gives each month space by the square root of its pictures, and puts undated pictures last', () => {
  expect(stops.map(({ label }) => label)).toEqual(['June 2024', 'May 2024', 'December 2022', 'No date']);
  expect(stops.map(({ start }) => Math.round(start * 38))).toEqual([0, 10, 30, 35]);
  expect(stops.at(-1)).toMatchObject({ count: 9, offset: 525, year: '' });
});

it('has no stop for pictures without a date alone', () => {
  expect(timelineStops({ months: [], total: 9, undated: 9 })).toEqual([]);
});

describe('a position of the strip', () => {
  it('is in the month that begins above it', () => {
    expect([0, 0.2, 0.5, 0.8, 0.99].map((position) => stopAt(stops, position))).toEqual([0, 0, 1, 2, 3]);
    expect([-1, 2].map((position) => stopAt(stops, position))).toEqual([0, 3]);
  });

  it('leads to the first picture of a month, and into a month with many', () => {
    expect(offsetAt(stops, 0.2)).toBe(0);
    expect(offsetAt(stops, stops[1]!.start)).toBe(100);
    expect(offsetAt(stops, 20.01 / 38)).toBe(300);
    expect(offsetAt(stops, 0.78)).toBeLessThan(500);
    expect(offsetAt(stops, 1)).toBe(525);
  });
});

it('steps by years, and stays at the ends', () => {
  expect([0, 1, 2, 3].map((index) => yearStep(stops, index, 1))).toEqual([2, 2, 3, 3]);
  expect([0, 1, 2, 3].map((index) => yearStep(stops, index, -1))).toEqual([0, 0, 0, 2]);
});

it('leaves out years that have no space', () => {
  expect(yearMarks(stops, 0.1).map(({ year }) => year)).toEqual(['2024', '2022']);
  expect(yearMarks(stops, 0.9).map(({ year }) => year)).toEqual(['2024']);
});
