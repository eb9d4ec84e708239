/** Whether this browser, on this page, can copy pictures. */
export function canCopyPictures(): boolean {
  return typeof ClipboardItem === 'function' && navigator.clipboard?.write !== undefined;
}

/** Copy the picture at an address of the server to the clipboard. Return whether that worked. */
export async function copyPicture(url: string): Promise<boolean> {
  try {
    // The promise, not its result: Safari allows the clipboard only directly after a click.
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': pngOf(url) })]);
    return true;
  } catch {
    return false;
  }
}

/** A PNG is the only kind of picture that every clipboard takes. */
async function pngOf(url: string): Promise<Blob> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(response.statusText);
  const image = await createImageBitmap(await response.blob());
  const canvas = Object.assign(document.createElement('canvas'), {
    width: image.width,
    height: image.height,
  });
  canvas.getContext('2d')!.drawImage(image, 0, 0);
  image.close();
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The picture is too large.'))));
  });
}
