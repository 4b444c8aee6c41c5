// Boxes and names drawn over a picture. Known people and strangers differ by the words and the line, not by colour alone.

const KNOWN = "#2e8bff";
const STRANGER = "#ffb020";

/**
 * @param {HTMLCanvasElement} canvas lies over the picture, class "over"
 * @param {[number, number]} size of the picture in pixels
 * @param {{box: number[], name: string | null, similarity: number}[]} faces as REST gives them
 */
export function draw(canvas, [width, height], faces) {
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  const scale = Math.max(1, width / (canvas.clientWidth || width));
  faces.forEach((face, index) => {
    const [x1, y1, x2, y2] = face.box;
    const colour = face.name ? KNOWN : STRANGER;
    pen.lineWidth = 3 * scale;
    pen.strokeStyle = colour;
    pen.setLineDash(face.name ? [] : [8 * scale, 6 * scale]);
    pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    pen.font = `600 ${15 * scale}px system-ui, sans-serif`;
    label(pen, wordsOf(pen, face, index), x1, y1, width, scale, colour);
  });
}

/** A stranger's number alone where there is little room, so that labels do not cover the faces beside. */
function wordsOf(pen, { name, box: [x1, , x2] }, index) {
  const words = name ?? `stranger ${index + 1}`;
  return name || pen.measureText(words).width <= 1.5 * (x2 - x1) ? words : String(index + 1);
}

function label(pen, words, x, y, width, scale, colour) {
  pen.textBaseline = "top";
  const room = pen.measureText(words).width + 10 * scale;
  const tall = 22 * scale;
  const left = Math.max(0, Math.min(x, width - room));
  const top = y >= tall ? y - tall : Math.max(0, y);
  pen.fillStyle = colour;
  pen.fillRect(left, top, room, tall);
  pen.fillStyle = "#08121f";
  pen.fillText(words, left + 5 * scale, top + 4 * scale);
}
