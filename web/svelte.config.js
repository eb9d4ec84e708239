// TypeScript in components is type annotations only, which Svelte reads by itself: no preprocessor.
export default { compilerOptions: { runes: true } };
