import { NOT_A_PICTURE } from './imageInput';
import type { Size } from './layout';

/** Maximum length of the shorter side, px: no supported model has a larger input. */
const MAX_SHORT_SIDE_PX = 384;
/** Maximum length of the longer side, px, so that a panorama does not become a huge upload. */
const MAX_LONG_SIDE_PX = 3 * MAX_SHORT_SIDE_PX;
const JPEG_QUALITY = 0.9;

/** Return the size at which an image is uploaded. */
export function uploadSize({ width, height }: Size): Size {
  const scale = Math.min(
    1,
    MAX_SHORT_SIDE_PX / Math.min(width, height),
    MAX_LONG_SIDE_PX / Math.max(width, height),
  );
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Resize an image file to a JPEG in base64. Rejects with an Error if the browser cannot decode it. */
export async function resizeForUpload(file: Blob): Promise<string> {
  const image = await createImageBitmap(file).catch(() => {
    throw new Error(NOT_A_PICTURE);
  });
  const size = uploadSize(image);
  const canvas = Object.assign(document.createElement('canvas'), size);
  const context = canvas.getContext('2d')!;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, size.width, size.height);
  context.drawImage(image, 0, 0, size.width, size.height);
  image.close();
  return canvas.toDataURL('image/jpeg', JPEG_QUALITY).split(',')[1]!;
}
