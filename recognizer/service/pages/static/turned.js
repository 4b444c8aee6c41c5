// Whether a picture is to be turned in a way that browsers pass over: Chromium shows WebP as it lies in the file.

const [RIFF, WEBP, EXIF] = [0x52494646, 0x57454250, 0x45584946]; // four letters each
const ORIENTATION = 0x0112;
const UPRIGHT = 1;

/** @param {File} file of any kind */
export async function isTurnedWebp(file) {
  const head = new DataView(await file.slice(0, 12).arrayBuffer());
  if (head.byteLength < 12 || head.getUint32(0) !== RIFF || head.getUint32(8) !== WEBP) return false;
  const all = new DataView(await file.arrayBuffer());
  for (let at = 12; at + 8 <= all.byteLength;) {
    const size = all.getUint32(at + 4, true);
    if (all.getUint32(at) === EXIF) return orientationOf(all.buffer.slice(at + 8, at + 8 + size)) !== UPRIGHT;
    at += 8 + size + (size % 2);
  }
  return false;
}

/** Of what EXIF says, which is TIFF; some programs put "Exif" and two zeros before it. */
function orientationOf(exif) {
  try {
    const start = new DataView(exif).getUint32(0) === 0x45786966 ? 6 : 0;
    const tiff = new DataView(exif, start);
    const isLittle = tiff.getUint16(0) === 0x4949;
    const first = tiff.getUint32(4, isLittle);
    const count = tiff.getUint16(first, isLittle);
    for (let entry = first + 2; entry < first + 2 + 12 * count; entry += 12) {
      if (tiff.getUint16(entry, isLittle) === ORIENTATION) return tiff.getUint16(entry + 8, isLittle);
    }
  } catch {
    return UPRIGHT; // damaged, and passed over by the service as well
  }
  return UPRIGHT;
}
