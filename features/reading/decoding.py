"""From the bytes of one image file to one grey plane, exact, with the size checked before anything is decoded.

Grey 8- and 16-bit PNGs go through kornia_rs (a third of OpenCV's time); OpenCV reads the rest. An RGB image
is taken as grey if its three colours are equal, or if only the stain's own display colour is used (HPA's JPEGs).
"""

import struct
import zlib

import cv2
import kornia_rs.io as kornia
import numpy as np

from features.reading.image_file import UnreadableImageError, check_size, damaged
from features.reading.tiff import TIFF, decode_tiff

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_GREY, _RGB, _RGBA = 0, 2, 6  # PNG colour types
_PNG_BITS = {_GREY: 1, _RGB: 3, _RGBA: 4}  # times the depth
_MOST_INFLATED = 1040  # times; deflate cannot do more
_INTEGERS = tuple(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("u", ""))
_JPEG_LEAK = 0.15  # JPEG's colour transform spills a little into the unused colours


def decode(data: bytes) -> np.ndarray:
    """Decode one image to a grey plane.

    Parameters
    ----------
    data : bytes
        A whole PNG, JPEG or TIFF file; the format is recognised from the content, not from a name.

    Returns
    -------
    ndarray of uint8 or uint16, shape (H, W)

    Raises
    ------
    UnreadableImageError
        If it is empty, damaged, too small or too large, not an image, in colour, a stack, or not 8- or 16-bit integer.
    """
    check_start(data)
    if data.startswith(_PNG):
        return _decode_png(data)
    if data.startswith(_JPEG):
        return _decode_jpeg(data)
    image = decode_tiff(data, ("uint8", "uint16"))
    return image if image.ndim == 2 else _grey(image[:, :, :3], leak=0)


def decode_labels(data: bytes) -> np.ndarray:
    """Decode a label image: integers of any width, shape (H, W); raises as `decode` does."""
    if not data.startswith(TIFF):
        return decode(data)
    labels = decode_tiff(data, _INTEGERS)
    if labels.ndim != 2:
        raise UnreadableImageError("is a colour image (expected one plane of whole numbers). Save the labels as grey.")
    return labels


def check_start(data: bytes) -> None:
    """Refuse what cannot be an image by its first bytes: nothing, other content, a PNG of impossible size."""
    if not data:
        raise UnreadableImageError("is empty (0 bytes). Copy or download it again.")
    if not data.startswith((_PNG, _JPEG, *TIFF)):
        raise UnreadableImageError("is not an image (expected PNG, TIFF or JPEG content). Replace or remove it.")
    if data.startswith(_PNG) and len(data) >= 24:
        check_size(*struct.unpack_from(">II", data, 16))


def _decode_png(data: bytes) -> np.ndarray:
    if len(data) < 33:
        raise damaged(data, "no image header")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    check_size(width, height)
    if width * height * _PNG_BITS.get(colour, 1) * depth // 8 > _MOST_INFLATED * len(data):
        raise damaged(data, f"too short for the {width} x {height} px in its header")
    mode = {_GREY: "mono", _RGB: "rgb", _RGBA: "rgba"}.get(colour)
    if mode is None or depth not in (8, 16):
        return _decode_rare_png(data)
    read = kornia.decode_image_png_u8 if depth == 8 else kornia.decode_image_png_u16
    try:
        image = read(data, (height, width), mode)
    except Exception as error:  # kornia_rs raises nothing more specific
        raise damaged(data, error) from error
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
            raise damaged(data, "a checksum does not fit")
        position += 12 + length
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise damaged(data, "it cannot be decoded")
    return image if image.ndim == 2 else _grey(image[:, :, 2::-1], leak=0)


def _decode_jpeg(data: bytes) -> np.ndarray:
    try:
        size = kornia.ImageDecoder().read_header(data)
        check_size(size.width, size.height)
        image = kornia.decode_image_jpegturbo(data, "rgb")
    except UnreadableImageError:
        raise
    except Exception as error:  # kornia_rs raises nothing more specific
        raise damaged(data, error) from error
    return _grey(image, leak=_JPEG_LEAK)


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
        " colour used). Save each stain as a separate grey file."
    )
