"""Where cells lie to each other, and what their borders touch."""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel


def centres(cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Centroid of each cell's nucleus, or of the cell where it has none, in pixels from the corner of the cell's box.

    Parameters
    ----------
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        y, x.
    """
    out = np.empty((len(field), 2))
    _centres(cell_labels, nucleus_labels, field, boxes, out)
    return out


@kernel
def _centres(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, out: np.ndarray
) -> None:
    for i in range(len(field)):
        sums = _coordinate_sums(nucleus_labels[field[i]], boxes[i], np.int32(i + 1))
        if sums[0] == 0:
            sums = _coordinate_sums(cell_labels[field[i]], boxes[i], np.int32(i + 1))
        out[i, 0], out[i, 1] = sums[1] / sums[0], sums[2] / sums[0]


@helper
def _coordinate_sums(labels: np.ndarray, box: np.ndarray, label: Int) -> tuple[Int, Int, Int]:
    top, left, bottom, right = box
    n, sum_y, sum_x = 0, 0, 0
    for y in range(bottom - top):
        row = labels[top + y, left:right]
        in_row = 0
        for x in range(right - left):
            mine = np.int64(row[x] == label)
            in_row += mine
            sum_x += mine * x
        n += in_row
        sum_y += in_row * y
    return n, sum_y, sum_x


def nearest(
    field: np.ndarray, boxes: np.ndarray, centres: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The two nearest cells of each cell in its field, and how many lie within reach.

    Parameters
    ----------
    field, boxes
        As in `centres`.
    centres : ndarray of float64, shape (n, 2)
        From the corner of the box.
    reach : ndarray of float64, shape (n, n_reaches)
        Distances in px.

    Returns
    -------
    index : ndarray of int64, shape (n, 2)
        -1 where there is none. Of equally distant cells the upper comes first, then the left.
    within : ndarray of int64, shape (n, n_reaches)
        Cells at most that far away.
    """
    index, within = np.full((len(field), 2), -1, np.int64), np.zeros(reach.shape, np.int64)
    _nearest(field, boxes, centres, reach, index, within)
    return index, within


@kernel
def _nearest(
    field: np.ndarray, boxes: np.ndarray, centres: np.ndarray, reach: np.ndarray, index: np.ndarray, within: np.ndarray
) -> None:
    for i in range(len(field)):
        first, second = np.inf, np.inf
        for j in range(len(field)):
            if j == i or field[j] != field[i]:
                continue
            dy = boxes[j, 0] - boxes[i, 0] + (centres[j, 0] - centres[i, 0])
            dx = boxes[j, 1] - boxes[i, 1] + (centres[j, 1] - centres[i, 1])
            distance = np.sqrt(dy * dy + dx * dx)
            for k in range(reach.shape[1]):
                within[i, k] += distance <= reach[i, k]
            if distance < first or (distance == first and _is_before(boxes, centres, j, index[i, 0])):
                second, index[i, 1] = first, index[i, 0]
                first, index[i, 0] = distance, j
            elif distance < second or (distance == second and _is_before(boxes, centres, j, index[i, 1])):
                second, index[i, 1] = distance, j


@helper
def _is_before(boxes: np.ndarray, centres: np.ndarray, a: int, b: int) -> bool:
    ya, yb = boxes[a, 0] + centres[a, 0], boxes[b, 0] + centres[b, 0]
    return ya < yb or (ya == yb and boxes[a, 1] + centres[a, 1] < boxes[b, 1] + centres[b, 1])


def segment_sums(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Exact sum of values[offsets[i]:offsets[i + 1]] for each i, int64.

    Parameters
    ----------
    values : ndarray of int
    offsets : ndarray of int64, shape (n + 1,)
    """
    sums = np.zeros(len(offsets) - 1, np.int64)
    _segment_sums(values, offsets, sums)
    return sums


@kernel
def _segment_sums(values: np.ndarray, offsets: np.ndarray, sums: np.ndarray) -> None:
    for i in range(len(sums)):
        mine = values[offsets[i] : offsets[i + 1]]
        for k in range(mine.size):
            sums[i] += mine[k]


def borders(
    planes: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, gap: np.ndarray, depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sort the border pixels of each cell into contact, free and cut, and sum the stains along the first two.

    A border pixel has a 4-neighbour outside the cell. It is cut if it lies at the edge of the image, a contact if
    another cell comes within the gap, else free. Its window is the cell's pixels up to `depth` rows and columns away.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, n_planes, H, W)
    labels, field, boxes
        As in `centres`.
    gap, depth : ndarray of int64, shape (n,)
        In px.

    Returns
    -------
    counts : ndarray of int64, shape (n, 5)
        Contact, free and cut border pixels; cells touched; contact pixels with the cell touched most.
    sums : ndarray of int64, shape (n, 2, n_planes)
        Sum over the windows of contact and of free pixels.
    sizes : ndarray of int64, shape (n, 2)
        Pixels in these windows.
    peaks : ndarray of float64, shape (n, 2, n_planes)
        Mean of the brightest window; NaN without any.
    """
    n, n_planes = len(field), planes.shape[1]
    counts, sizes = np.zeros((n, 5), np.int64), np.zeros((n, 2), np.int64)
    sums, peaks = np.zeros((n, 2, n_planes), np.int64), np.full((n, 2, n_planes), np.nan)
    width = int((boxes[:, 3] - boxes[:, 1]).max(initial=0))
    mark = np.zeros(width // 8 * 8 + 8, np.uint8)
    most = (2 * int(depth.max(initial=0)) + 1) ** 2 * int(np.iinfo(planes.dtype).max)
    window = np.empty(n_planes + 1, np.int32 if most < 2**31 else np.int64)  # 32 bits are faster
    scratch = (np.empty(n + 1, np.int64), window, mark, mark.view(np.uint64))
    _borders(planes, labels, field, boxes, gap, depth, *scratch, counts, sums, sizes, peaks)
    return counts, sums, sizes, peaks


@kernel
def _borders(
    planes: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, gap: np.ndarray, depth: np.ndarray,
    touched: np.ndarray, window: np.ndarray, mark: np.ndarray, words: np.ndarray, counts: np.ndarray,
    sums: np.ndarray, sizes: np.ndarray, peaks: np.ndarray,
) -> None:  # fmt: skip
    n, n_planes = len(field), planes.shape[1]
    for i in range(n):
        for other in range(n + 1):
            touched[other] = 0
        image, stack, label = labels[field[i]], planes[field[i]], np.int32(i + 1)
        top, left, bottom, right = boxes[i]
        for y in range(top, bottom):
            _mark_border(image, y, left, right, label, mark)
            for word in range((right - left) // 8 + 1):
                if words[word] == 0:  # eight pixels at a time: most are not at the border
                    continue
                for x in range(left + 8 * word, left + 8 * word + 8):
                    if mark[x - left] == 0:
                        continue
                    if y == 0 or x == 0 or y == image.shape[0] - 1 or x == image.shape[1] - 1:
                        counts[i, 2] += 1
                        continue
                    other = _closest_label(image, y, x, gap[i])
                    kind = 0 if other > 0 else 1
                    counts[i, kind] += 1
                    touched[other] += 1
                    _sum_window(stack, image, y, x, depth[i], window)
                    sizes[i, kind] += window[n_planes]
                    for plane in range(n_planes):
                        sums[i, kind, plane] += window[plane]
                        level = window[plane] / window[n_planes]
                        if not peaks[i, kind, plane] >= level:
                            peaks[i, kind, plane] = level
        for k in range(1, n + 1):
            counts[i, 3] += touched[k] > 0
            counts[i, 4] = max(counts[i, 4], touched[k])


@helper
def _mark_border(labels: np.ndarray, y: int, left: int, right: int, label: Int, mark: np.ndarray) -> None:
    """Which pixels of a row are a cell's and have a 4-neighbour that is not; at least one 0 follows."""
    height, width = labels.shape
    row, at_edge = labels[y], y == 0 or y == height - 1
    above, below = labels[max(y - 1, 0)], labels[min(y + 1, height - 1)]
    first, last = max(left, 1), min(right, width - 1)
    for x in range(right - left, (right - left) // 8 * 8 + 8):
        mark[x] = 0
    before, here, after, target = row[first - 1 :], row[first:], row[first + 1 :], mark[first - left :]
    north, south = above[first:], below[first:]
    for x in range(last - first):
        inside = (before[x] == label) & (after[x] == label) & (north[x] == label) & (south[x] == label)
        target[x] = (here[x] == label) & ~(inside & ~at_edge)
    if left == 0:
        mark[0] = row[0] == label
    if right == width:
        mark[right - left - 1] = row[width - 1] == label


@helper
def _closest_label(labels: np.ndarray, y: int, x: int, gap: int) -> int:
    """The other cell with the pixel closest to this one, at most `gap` px away; 0 if there is none.

    The pixel itself must not lie at the edge of the image.
    """
    height, width = labels.shape
    for other in (labels[y - 1, x], labels[y, x - 1], labels[y, x + 1], labels[y + 1, x]):
        if other > 0 and other != labels[y, x]:
            return other
    if not _has_others(labels, y, x, gap):
        return 0
    found, closest = 0, gap * gap + 1
    for v in range(max(0, y - gap), min(height, y + gap + 1)):
        for u in range(max(0, x - gap), min(width, x + gap + 1)):
            other = labels[v, u]
            distance = (v - y) * (v - y) + (u - x) * (u - x)
            if other > 0 and other != labels[y, x] and distance < closest:
                found, closest = other, distance
    return found


@helper
def _has_others(labels: np.ndarray, y: int, x: int, gap: int) -> bool:
    """Whether other cells have pixels up to `gap` rows and columns away; without branches, as most have none."""
    (height, width), label, found = labels.shape, labels[y, x], False
    for v in range(np.uint64(max(0, y - gap)), np.uint64(min(height, y + gap + 1))):
        for u in range(np.uint64(max(0, x - gap)), np.uint64(min(width, x + gap + 1))):
            found |= (labels[v, u] != 0) & (labels[v, u] != label)
    return found


@helper
def _sum_window(planes: np.ndarray, labels: np.ndarray, y: int, x: int, depth: int, window: np.ndarray) -> None:
    """Sums of each plane over the cell's own pixels around one, and their number; three planes at a time."""
    (n_planes, height, width), label, nothing = planes.shape, labels[y, x], window.dtype.type(0)
    for plane in range(0, n_planes, 3):
        a, b = np.uint64(plane), np.uint64(min(plane + 1, n_planes - 1))
        c = np.uint64(min(plane + 2, n_planes - 1))
        n, sum_a, sum_b, sum_c = nothing, nothing, nothing, nothing
        for v in range(np.uint64(max(0, y - depth)), np.uint64(min(height, y + depth + 1))):
            for u in range(np.uint64(max(0, x - depth)), np.uint64(min(width, x + depth + 1))):
                mine = labels[v, u] == label
                n += window.dtype.type(mine)
                sum_a += window.dtype.type(planes[a, v, u]) if mine else nothing
                sum_b += window.dtype.type(planes[b, v, u]) if mine else nothing
                sum_c += window.dtype.type(planes[c, v, u]) if mine else nothing
        window[a], window[b], window[c], window[n_planes] = sum_a, sum_b, sum_c, n
