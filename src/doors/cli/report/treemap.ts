/** A rectangle in percent of the whole. */
export interface Cell {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Rectangles whose areas are as the sizes, near squares where `aspect` is width by height of the whole: rows along the shorter side, each taking more as long as that makes its worst rectangle squarer (Bruls, Huizing, van Wijk:
 * Squarified Treemaps). In the order of the sizes given; those of nothing have no area.
 */
export function treemap(sizes: readonly number[], aspect: number): Cell[] {
  const cells: Cell[] = sizes.map(() => ({ x: 0, y: 0, width: 0, height: 0 }));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const order = [...sizes.keys()]
    .filter((at) => (sizes[at] ?? 0) > 0)
    .sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
  const rest = { x: 0, y: 0, width: aspect, height: 1 };
  const areaOf = (at: number): number => ((sizes[at] ?? 0) / total) * aspect;
  while (order.length > 0) {
    const side = Math.min(rest.width, rest.height);
    const row: number[] = [];
    let area = 0;
    for (const at of order) {
      const next = area + areaOf(at);
      if (row.length > 0 && worst([...row, at], next) > worst(row, area)) break;
      row.push(at);
      area = next;
    }
    order.splice(0, row.length);
    const thick = area / side;
    const isColumn = rest.width >= rest.height;
    let along = 0;
    for (const at of row) {
      const long = areaOf(at) / thick;
      const box = isColumn
        ? { x: rest.x, y: rest.y + along, width: thick, height: long }
        : { x: rest.x + along, y: rest.y, width: long, height: thick };
      cells[at] = {
        x: (box.x / aspect) * 100,
        y: box.y * 100,
        width: (box.width / aspect) * 100,
        height: box.height * 100,
      };
      along += long;
    }
    if (isColumn) Object.assign(rest, { x: rest.x + thick, width: rest.width - thick });
    else Object.assign(rest, { y: rest.y + thick, height: rest.height - thick });

    function worst(ats: readonly number[], sum: number): number {
      return Math.max(
        ...ats.map((at) =>
          Math.max((side * side * areaOf(at)) / (sum * sum), (sum * sum) / (side * side * areaOf(at))),
        ),
      );
    }
  }
  return cells;
}
