"""Plain NumPy references of the blur kernels: slow, obvious, and the definition of what the kernels compute."""

from __future__ import annotations

import numpy as np


def mirrored(index, size):
    """The sample that `index` is mirrored to: 0 1 2 ... n-1 n-2 ... 1 0 1 ..."""
    row = np.concatenate([np.arange(size), np.arange(size - 2, 0, -1)]) if size > 1 else np.zeros(1, int)
    return row[np.asarray(index) % len(row)]


def view(image, left, top, width, height):
    """A rectangle of an image, mirrored beyond its border."""
    rows = mirrored(np.arange(top, top + height), image.shape[0])
    columns = mirrored(np.arange(left, left + width), image.shape[1])
    return image[rows][:, columns]


def codes(intensity, table):
    """Code values of linear intensity whose full scale is 1."""
    return table[np.clip(np.floor(intensity * (len(table) - 1) + 0.5), 0, len(table) - 1).astype(int)]


def convolve(intensity, kernel):
    """Each point of the picture becomes the kernel; the border where the kernel is not whole is left out."""
    size = kernel.shape[0] - 1
    out = np.zeros((intensity.shape[0] - size, intensity.shape[1] - size, 3))
    for y in range(size + 1):
        for x in range(size + 1):
            shifted = intensity[size - y : intensity.shape[0] - y, size - x : intensity.shape[1] - x]
            out += kernel[y, x] * shifted
    return out


def ssim(first, second, window=7):
    """Mean structural similarity (Wang et al. 2004), uniform windows."""
    a, b = first.astype(float), second.astype(float)

    def mean(values):
        return np.lib.stride_tricks.sliding_window_view(values, (window, window)).mean(axis=(2, 3))

    ma, mb = mean(a), mean(b)
    va, vb, covariance = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return values.mean()


def warped(intensity, matrix, width, height):
    """The picture at the positions ``matrix @ (x, y, 1)``, bilinear."""
    y, x = np.mgrid[:height, :width]
    at_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    at_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    column, row = np.floor(at_x).astype(int), np.floor(at_y).astype(int)
    right, down = (at_x - column)[..., None], (at_y - row)[..., None]
    above = (1 - right) * intensity[row, column] + right * intensity[row, column + 1]
    below = (1 - right) * intensity[row + 1, column] + right * intensity[row + 1, column + 1]
    return (1 - down) * above + down * below


def pose_matrix(pose, middle_x, middle_y, origin):
    """Positions that pixels show from a pose: turned and zoomed about the middle, then moved."""
    x, y, angle, log_zoom = pose
    turn = np.exp(log_zoom) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([middle_x, middle_y])
    return np.column_stack([turn, middle - turn @ middle + (x, y) + np.array([origin, origin])])


def brightened(intensity, threshold, gain):
    beyond = np.maximum(intensity.min(axis=-1, keepdims=True) - threshold, 0) / (1 - threshold)
    return intensity * (1 + (gain - 1) * beyond**2)


def noise(count, key):
    """The standard normal noise of samples 0 ... count - 1."""
    with np.errstate(over="ignore"):
        bits = np.arange(count, dtype=np.uint32) + np.uint32(key)
        bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D)
        bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B)
        bits = bits ^ (bits >> np.uint32(16))
    four = bits.view(np.uint8).reshape(-1, 4).astype(float)
    return (four.sum(axis=1) - 4 * 127.5) / np.sqrt(4 * (256**2 - 1) / 12)


def markov_path(normals, chances, angle, pull, sudden, strength, anxiety):
    """The trajectory of Kupyn et al. 2018 in complex numbers, as their code has it, in units of its length."""
    steps = len(normals) + 1
    stride = 1 / (steps - 1)
    velocity = np.exp(1j * angle) * stride
    path = np.zeros(steps, complex)
    for t in range(steps - 1):
        push = strength * complex(*normals[t]) - pull * path[t]
        change = anxiety * push * stride
        if chances[t, 0] < sudden * anxiety:
            change += 2 * velocity * np.exp(1j * (np.pi + chances[t, 1] - 0.5))
        velocity += change
        velocity *= stride / abs(velocity)
        path[t + 1] = path[t] + velocity
    return np.column_stack([path.real, path.imag])


def splatted(path, span, size):
    """Bilinear kernel of a path, scaled to `span` and centred on its mean."""
    scale = span / np.ptp(path, axis=0).max()
    placed = scale * (path - path.mean(axis=0)) + (size - 1) / 2
    intensity = np.zeros((size, size))
    for x, y in placed:
        column, row = int(np.floor(x)), int(np.floor(y))
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            intensity[row + dy, column + dx] += (1 - abs(x - column - dx)) * (1 - abs(y - row - dy)) / len(path)
    return intensity


def grown_window(observations, start, response, rules, sequential):
    """VLA: (first, last) of the window that grows from `start`; average, motion and rules are computed anew for each size."""
    first = last = start
    found = (start, start)
    side = observations[start].pixel * max(observations[start].luma.shape)
    while True:
        first, last = first if sequential else first - 1, last + 1
        count = last - first + 1
        if count > rules.longest or first < 0 or last >= len(observations):
            return found
        if any(o.cut for o in observations[first + 1 : last + 1]) or not rules.overlap(observations[first], observations[last]):
            return found
        motions = np.stack([o.motion[observations[start].region] for o in observations[first + 1 : last + 1]]).astype(float)
        path = np.linalg.norm(motions, axis=-1).mean(axis=(1, 2)).sum()
        if rules.motion(path, np.linalg.norm(motions.sum(axis=0), axis=-1).mean(), count, side):
            return found
        lumas = np.stack([o.luma[..., 0] for o in observations[first : last + 1]])
        mean = np.floor(response.linearise(lumas).astype(float).mean(axis=0) + 0.5).astype(int)
        if ssim(response.develop(mean), observations[first + count // 2].luma[..., 0]) < rules.least_similarity:
            return found
        if count % 2:
            found = (first, last)
