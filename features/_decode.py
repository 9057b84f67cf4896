"""From the bytes of one image file to one grey plane, exact, with the size checked before anything is decoded.

Grey 8- and 16-bit PNGs go through kornia_rs (a third of OpenCV's time); OpenCV takes what it cannot read. An RGB image
is taken as grey if its three colours are equal, or if only the stain's own display colour is used (HPA's JPEGs).
"""

import io
import struct
import zlib

import cv2
import kornia_rs.io as kornia
import numpy as np
import tifffile

MAX_SIDE = 20_000
MIN_SIDE = 16
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_GREY, _RGB, _RGBA = 0, 2, 6  # PNG colour types
_JPEG_LEAK = 0.15  # JPEG's colour transform spills a little into the unused colours


class UnreadableImageError(ValueError):
    """The bytes are not an image that can be used; the message continues "<file name> ..."."""


def decode(data: bytes) -> np.ndarray:
    """Decode one image to a grey plane.

    Parameters
    ----------
    data : bytes
        A whole PNG, JPEG or TIFF file; which of them is told from the content, not from a name.

    Returns
    -------
    ndarray of uint8 or uint16, shape (H, W)

    Raises
    ------
    UnreadableImageError
        If it is empty, damaged, too small or too large, not an image, in colour, a stack, or not 8- or 16-bit integer.
    """
    if not data:
        raise UnreadableImageError("is empty (0 bytes). Copy or download it again.")
    if data.startswith(_PNG):
        return _decode_png(data)
    if data.startswith(b"\xff\xd8"):
        return _decode_jpeg(data)
    if data.startswith(_TIFF):
        return _decode_tiff(data)
    raise UnreadableImageError("is not an image (expected PNG, TIFF or JPEG content). Replace or remove it.")


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE:
        raise UnreadableImageError(
            f"is too large ({width} x {height} px; at most {MAX_SIDE:,} px a side). Cut or scale it."
        )
    if min(width, height) < MIN_SIDE:
        raise UnreadableImageError(
            f"is too small ({width} x {height} px; at least {MIN_SIDE} px a side). Replace or remove it."
        )


def _damaged(data: bytes, reason: object) -> UnreadableImageError:
    brief = " ".join(str(reason).split()).rstrip(".")
    return UnreadableImageError(f"is damaged or cut short ({len(data):,} bytes; {brief}). Copy or download it again.")


def _decode_png(data: bytes) -> np.ndarray:
    if len(data) < 33:
        raise _damaged(data, "no image header")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    _check_size(width, height)
    mode = {_GREY: "mono", _RGB: "rgb", _RGBA: "rgba"}.get(colour)
    if mode is None or depth not in (8, 16):
        return _decode_rare_png(data)
    read = kornia.decode_image_png_u8 if depth == 8 else kornia.decode_image_png_u16
    try:
        image = read(data, (height, width), mode)
    except Exception as error:  # kornia_rs raises nothing more specific
        raise _damaged(data, error) from error
    return image[:, :, 0] if mode == "mono" else _grey(image[:, :, :3], leak=0)


def _decode_rare_png(data: bytes) -> np.ndarray:
    """Palettes, 1 to 4 bits, grey with alpha: exact in OpenCV, which however accepts damaged files in silence."""
    position = len(_PNG)
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        body = data[position + 4 : position + 8 + length]
        checksum = data[position + 8 + length : position + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(body)):
            raise _damaged(data, "a checksum does not fit")
        position += 12 + length
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise _damaged(data, "it cannot be decoded")
    return image if image.ndim == 2 else _grey(image[:, :, 2::-1], leak=0)


def _decode_jpeg(data: bytes) -> np.ndarray:
    try:
        size = kornia.ImageDecoder().read_header(data)
        _check_size(size.width, size.height)
        image = kornia.decode_image_jpegturbo(data, "rgb")
    except UnreadableImageError:
        raise
    except Exception as error:  # kornia_rs raises nothing more specific
        raise _damaged(data, error) from error
    return _grey(image, leak=_JPEG_LEAK)


def _decode_tiff(data: bytes) -> np.ndarray:
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = tiff.pages[0]
            n_pages = len(tiff.pages)
            shape, dtype, colours = page.shape, page.dtype, page.photometric
            _check_tiff(shape, dtype, colours, n_pages)
            if page.compression in (1, 8, 32946):  # none and deflate: what tifffile reads without further packages
                image = page.asarray()
            else:
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except UnreadableImageError:
        raise
    except Exception as error:  # tifffile raises struct, zlib, index and value errors on damaged files
        raise _damaged(data, error) from error
    if image is None or image.shape[:2] != shape[:2]:
        raise _damaged(data, "it cannot be decoded")
    return np.ascontiguousarray(image) if image.ndim == 2 else _grey(image[:, :, :3], leak=0)


def _check_tiff(shape: tuple[int, ...], dtype: np.dtype | None, colours: int, n_pages: int) -> None:
    """Refuse stacks, float images, palettes and inverted images."""
    if n_pages != 1 or len(shape) > 3 or (len(shape) == 3 and shape[2] not in (3, 4)):
        frames = n_pages if n_pages > 1 else shape[0]
        raise UnreadableImageError(f"is a stack of {frames} images (expected one plane a file). Save one plane a file.")
    _check_size(shape[1], shape[0])
    if dtype not in (np.uint8, np.uint16):
        raise UnreadableImageError(f"holds {dtype} values (expected uint8 or uint16). Convert it to 8 or 16 bits.")
    if colours not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB):
        raise UnreadableImageError(f"is a TIFF of kind {colours.name} (expected grey). Save it as grey.")


def _grey(image: np.ndarray, leak: float) -> np.ndarray:
    """The one plane that an RGB image (H, W, 3) holds: all three equal, one colour used, or yellow (red = green).

    `leak` is the mean that an unused colour may have, as a share of the brightest colour's.
    """
    red, green, blue = (np.ascontiguousarray(image[:, :, c]) for c in range(3))
    means = np.array([plane.mean() for plane in (red, green, blue)])
    used = means > leak * means.max() + (1 if leak else 0)
    near = leak * means.max() + (2 if leak else 0)
    if used.sum() <= 1:
        return (red, green, blue)[int(np.argmax(means))]
    alike = np.mean(cv2.absdiff(red, green)) <= near
    if alike and (not used[2] or np.mean(cv2.absdiff(green, blue)) <= near):
        return green
    raise UnreadableImageError(
        f"is a colour image (mean red {means[0]:.1f}, green {means[1]:.1f}, blue {means[2]:.1f}; expected grey, or one"
        " colour used). Save each stain as a grey file of its own."
    )
