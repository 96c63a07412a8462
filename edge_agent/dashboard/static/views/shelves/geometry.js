/* Geometry in 0..1 of the picture: grids in perspective, corners in order, snapping. Points are [x, y]; a quadrilateral
   has its corners in the order top left, top right, bottom right, bottom left. */

/* A number as it is written into the configuration: a hundredth of a pixel is enough. */
export function tidy(value) {
  return Math.round(Math.min(1, Math.max(0, value)) * 1e5) / 1e5;
}

export function tidied(corners) {
  return corners.map(([x, y]) => [tidy(x), tidy(y)]);
}

/* The square 0..1 → a quadrilateral, through its perspective: (u, v) → [x, y]. */
export function perspective([[x0, y0], [x1, y1], [x2, y2], [x3, y3]]) {
  const dx1 = x1 - x2, dx2 = x3 - x2, sx = x0 - x1 + x2 - x3;
  const dy1 = y1 - y2, dy2 = y3 - y2, sy = y0 - y1 + y2 - y3;
  const det = dx1 * dy2 - dx2 * dy1 || 1e-12;
  const g = (sx * dy2 - dx2 * sy) / det, h = (dx1 * sy - sx * dy1) / det;
  const a = x1 - x0 + g * x1, b = x3 - x0 + h * x3, d = y1 - y0 + g * y1, e = y3 - y0 + h * y3;
  return (u, v) => {
    const w = g * u + h * v + 1;
    return [(a * u + b * v + x0) / w, (d * u + e * v + y0) / w];
  };
}

/* The slots of a grid, row by row: the same as regions.grid_quads of the agent. */
export function gridQuads(corners, rows, columns) {
  const at = perspective(corners);
  const knot = (row, column) => at(column / columns, row / rows).map((value) => Math.min(1, Math.max(0, value)));
  const quads = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      quads.push([knot(row, column), knot(row, column + 1), knot(row + 1, column + 1), knot(row + 1, column)]);
    }
  }
  return quads;
}

export function rectangle([ax, ay], [bx, by]) {
  const [left, right] = [Math.min(ax, bx), Math.max(ax, bx)], [top, bottom] = [Math.min(ay, by), Math.max(ay, by)];
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

/* Four points in any order → top left first, then clockwise. */
export function inOrder(points) {
  const [cx, cy] = middle(points);
  const around = [...points].sort((a, b) => Math.atan2(a[1] - cy, a[0] - cx) - Math.atan2(b[1] - cy, b[0] - cx));
  const first = around.reduce((best, [x, y], place) => (x + y < around[best][0] + around[best][1] ? place : best), 0);
  return [...around.slice(first), ...around.slice(0, first)];
}

export function middle(points) {
  return [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}

/* Corners moved as a whole, but not out of the picture. */
export function moved(corners, dx, dy) {
  const within = (axis, delta) => {
    const values = corners.map((point) => point[axis]);
    return Math.min(1 - Math.max(...values), Math.max(-Math.min(...values), delta));
  };
  const [x, y] = [within(0, dx), within(1, dy)];
  return corners.map(([px, py]) => [px + x, py + y]);
}

/* The nearest corner, else the nearest point of an edge, of others within `reach` pixels; null where there is none.
   others: quadrilaterals; size: [width, height] of the picture on the screen, in pixels. */
export function snapped(point, others, size, reach) {
  let best = null, least = reach;
  const closer = (candidate) => {
    const far = distance(point, candidate, size);
    if (far < least) [best, least] = [candidate, far];
  };
  for (const corners of others) corners.forEach(closer);
  if (best) return best;
  for (const corners of others) corners.forEach((corner, place) => closer(onEdge(point, corner, corners[(place + 1) % 4], size)));
  return best;
}

export const PICTURE = [[0, 0], [1, 0], [1, 1], [0, 1]];

function distance([ax, ay], [bx, by], [width, height]) {
  return Math.hypot((ax - bx) * width, (ay - by) * height);
}

function onEdge(point, from, to, [width, height]) {
  const [ex, ey] = [(to[0] - from[0]) * width, (to[1] - from[1]) * height];
  const along = ((point[0] - from[0]) * width * ex + (point[1] - from[1]) * height * ey) / (ex * ex + ey * ey || 1);
  const share = Math.min(1, Math.max(0, along));
  return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
}
