// A photo may have more pixels, and a file more bytes, than a server takes: such a picture is drawn smaller, as JPEG.

// A server takes 32 million pixels, and requests of 32 MiB, in which a picture is a third larger than its file.
const MAX_PIXELS = 24_000_000;
const MAX_BYTES = 16 << 20;
// What has so few bytes is hardly too large, and is not decoded here.
const SURELY_SMALL_BYTES = 1 << 20;
const QUALITY = 0.92;

/** The picture as it is, or a smaller one. A file that this browser cannot decode stays as it is. */
export async function fitting(blob) {
  if (blob.size < SURELY_SMALL_BYTES) return blob;
  let bitmap = null;
  try {
    bitmap = await createImageBitmap(blob);
    const { width, height } = bitmap;
    if (blob.size <= MAX_BYTES && width * height <= MAX_PIXELS) return blob;
    const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
    const canvas = document.createElement("canvas");
    canvas.width = Math.floor(width * scale);
    canvas.height = Math.floor(height * scale);
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return (await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY))) ?? blob;
  } catch {
    return blob;
  } finally {
    bitmap?.close();
  }
}
