import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';
import svelteConfig from '../../svelte.config.js';

const SOURCES = 'src/';
const FILES = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' });
const PAGE_DOCS = readFileSync('../docs/PAGE.md', 'utf8');

it('scopes the styles of each component by another class', () => {
  const names = FILES.filter((path) => path.endsWith('.svelte')).map((path) => basename(path, '.svelte'));
  const classes = names.map((name) => svelteConfig.compilerOptions.cssHash({ name }));
  expect(new Set(classes).size).toBe(names.length);
  expect(classes.filter((name) => !/^[A-Z]/.test(name))).toEqual([]);
});

it.each(FILES.filter((path) => /^(lib|state)\/.*(?<!\.test)\.ts$/.test(path)))(
  'documents %s in docs/PAGE.md',
  (path) => {
    expect(PAGE_DOCS).toContain(`\`${path}\``);
  },
);

const table = PAGE_DOCS.split('## Where to change what')[1]!.split('## ')[0]!;
const rows = table.split('\n').filter((line) => line.startsWith('| '));
it.each(rows.slice(2).flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)))(
  'has the file %s that docs/PAGE.md names',
  (path) => {
    expect(existsSync(SOURCES + path)).toBe(true);
  },
);
