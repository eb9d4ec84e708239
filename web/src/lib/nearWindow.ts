/** Distance from the window within which an element counts as near. */
const NEAR = '600px';

const watched = new WeakMap<Element, (isNear: boolean) => void>();
let observer: IntersectionObserver | undefined;

/** Report whether the element is near the window, now and at each change. Return the function that ends it. */
export function watchNearWindow(element: Element, onchange: (isNear: boolean) => void): () => void {
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) watched.get(target)?.(isIntersecting);
    },
    { rootMargin: `${NEAR} 0px` },
  );
  watched.set(element, onchange);
  observer.observe(element);
  return () => {
    observer?.unobserve(element);
    watched.delete(element); // a busy browser still reports what it saw before
  };
}
