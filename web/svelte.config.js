// TypeScript in components is type annotations only, which Svelte strips by itself: no preprocessor.
export default {
  compilerOptions: {
    runes: true,
    // Styles are scoped by an abbreviation of the component's name (SearchBox -> SeBo), which is shorter than
    // a hash. It begins with a capital letter, so it never equals a class of a component.
    cssHash: ({ name }) => name.replace(/([A-Z][a-z])[a-z]+/g, '$1'),
    discloseVersion: false,
  },
};
