"""From the bytes of one image file to one grey plane, exact, with the size checked before anything is decoded.

Grey 8- and 16-bit PNGs go through kornia_rs (a third of OpenCV's time); OpenCV reads the rest. An RGB image
is taken as grey if its three colours are equal, or if only the stain's own display colour is used (HPA's JPEGs).
"""

import io
import struct
import zlib

import cv2
import kornia_rs.io as kornia
import numpy as np
from PIL import Image

from features.reading.image_file import UnreadableImageError, check_size, damaged
from features.reading.scene import NOTHING_STATED, Facts
from features.reading.tiff import TIFF, decode_tiff

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_GREY, _RGB, _PALETTE, _RGBA = 0, 2, 3, 6  # PNG colour types
_PNG_BITS = {_GREY: 1, _RGB: 3, _RGBA: 4}  # times the depth
_MOST_INFLATED = 1040  # times; deflate cannot do more
_JPEG_LEAK, _JPEG_DETAIL = 0.15, 0.84  # of the brightest colour's mean, or detail, that spill into unused colours
_DETAIL = 17  # px; what is finer is detail

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our own sentences say what is wrong
Image.MAX_IMAGE_PIXELS = None  # the size is checked here, before


def decode(data: bytes) -> np.ndarray:
    """Decode one image to a grey plane: the first that `decode_plane` gives."""
    return decode_plane(data)[0]


def decode_plane(data: bytes) -> tuple[np.ndarray, Facts]:
    """Decode one image to a grey plane, with what the file states about it.

    Parameters
    ----------
    data : bytes
        A whole PNG, JPEG or TIFF file; the format is recognised from the content, not from a name.

    Returns
    -------
    ndarray of uint8 or uint16, shape (H, W)
    Facts

    Raises
    ------
    UnreadableImageError
        If it is empty, damaged, too small or too large, not an image, in colour, a stack, or not of 8- or 16-bit
        integers from 0.
    """
    check_start(data)
    if is_picture(data):
        image = _decode_picture(data)
        return image if image.ndim == 2 else _grey(image, jpeg=data.startswith(_JPEG)), NOTHING_STATED
    image, facts = decode_tiff(data)
    image = as_pixels(image)
    return image if image.ndim == 2 else _grey(image, jpeg=False), facts


def is_picture(data: bytes) -> bool:
    """Whether a file is a PNG or a JPEG, by its first bytes."""
    return data.startswith((_PNG, _JPEG))


def decode_colours(data: bytes) -> dict[str, np.ndarray]:
    """The planes of a PNG or JPEG by colour, or the one of a grey one by ""; each (H, W). Raises as `decode` does."""
    check_start(data)
    image = _decode_picture(data)
    if image.ndim == 2:
        return {"": image}
    return {name: np.ascontiguousarray(image[:, :, k]) for k, name in enumerate(("red", "green", "blue"))}


def _decode_picture(data: bytes) -> np.ndarray:
    """A PNG or JPEG as it is: grey (H, W), or red, green and blue (H, W, 3)."""
    return _decode_png(data) if data.startswith(_PNG) else _decode_jpeg(data)


def as_pixels(image: np.ndarray) -> np.ndarray:
    """Stored values as uint8 or uint16; signed ones of 8 and 16 bits only if none is negative.

    Raises
    ------
    UnreadableImageError
        If they are of another type, or negative.
    """
    if image.dtype in (np.uint8, np.uint16):
        return image
    if image.dtype in (np.int8, np.int16):
        if (least := int(image.min())) >= 0:
            return image.view(f"u{image.itemsize}")
        raise UnreadableImageError(f"holds negative values (from {least}). Convert it to 16 bits from 0.")
    raise UnreadableImageError(f"holds {image.dtype} values (expected uint8 or uint16). Convert it to 8 or 16 bits.")


def decode_labels(data: bytes) -> np.ndarray:
    """Decode a label image: integers of any width, shape (H, W), of a palette its numbers; raises as `decode` does."""
    check_start(data)
    if data.startswith(_JPEG):
        raise UnreadableImageError("is a JPEG, which does not keep numbers exactly. Save the labels as PNG or TIFF.")
    if data.startswith(TIFF):
        labels, _ = decode_tiff(data)
    elif data.startswith(_PNG) and data[25:26] == bytes([_PALETTE]):
        labels = _palette_numbers(data)
    else:
        return decode(data)
    if labels.ndim != 2:
        raise UnreadableImageError("is a colour image (expected one plane of whole numbers). Save the labels as grey.")
    if labels.dtype.kind not in "iu":
        raise UnreadableImageError(
            f"holds {labels.dtype} values (expected whole numbers). Save the labels as integers."
        )
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
        raise damaged(len(data), "no image header")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    check_size(width, height)
    if width * height * _PNG_BITS.get(colour, 1) * depth // 8 > _MOST_INFLATED * len(data):
        raise damaged(len(data), f"too short for the {width} x {height} px in its header")
    mode = {_GREY: "mono", _RGB: "rgb", _RGBA: "rgba"}.get(colour)
    if mode is None or depth not in (8, 16):
        return _decode_rare_png(data)
    read = kornia.decode_image_png_u8 if depth == 8 else kornia.decode_image_png_u16
    try:
        image = read(data, (height, width), mode)
    except Exception as error:  # kornia_rs raises nothing more specific
        raise damaged(len(data), error) from error
    return image[:, :, 0] if mode == "mono" else image[:, :, :3]


def _decode_rare_png(data: bytes) -> np.ndarray:
    """Palettes, 1 to 4 bits, grey with alpha: exact in OpenCV, which however accepts damaged files in silence."""
    _check_parts(data)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise damaged(len(data), "it cannot be decoded")
    return image if image.ndim == 2 else image[:, :, 2::-1]


def _palette_numbers(data: bytes) -> np.ndarray:
    """The numbers behind the colours of a PNG with a palette, as labels are often stored."""
    _check_parts(data)
    check_size(*struct.unpack_from(">II", data, 16))
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return np.asarray(image)


def _check_parts(data: bytes) -> None:
    """Refuse a PNG that is cut short, or has a part whose checksum is wrong."""
    position = len(_PNG)
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        body = data[position + 4 : position + 8 + length]
        checksum = data[position + 8 + length : position + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(body)):
            raise damaged(len(data), "a checksum does not fit")
        position += 12 + length


def _decode_jpeg(data: bytes) -> np.ndarray:
    try:
        size = kornia.ImageDecoder().read_header(data)
        check_size(size.width, size.height)
        image = kornia.decode_image_jpegturbo(data, "rgb")
    except UnreadableImageError:
        raise
    except Exception as error:  # kornia_rs raises nothing more specific
        raise damaged(len(data), error) from error
    return image


def _grey(image: np.ndarray, jpeg: bool) -> np.ndarray:
    """The one plane that an RGB image (H, W, 3) holds: all three equal, one colour used, or yellow (red = green).

    JPEG's colour transform spills into the unused colours: a share of the brightest colour's mean, and, because colours
    are stored at half the resolution, of its detail.
    """
    red, green, blue = (np.ascontiguousarray(image[:, :, c]) for c in range(3))
    means = np.array([plane.mean() for plane in (red, green, blue)])
    brightest = (red, green, blue)[int(np.argmax(means))]
    spilt, near = 0.0, 0.0
    if jpeg:
        detail = cv2.subtract(brightest, cv2.blur(brightest, (_DETAIL, _DETAIL))).mean()
        spilt = max(_JPEG_LEAK * means.max() + 1, 1.4 + _JPEG_DETAIL * detail)
        near = _JPEG_LEAK * means.max() + 2
    used = means > spilt
    if used.sum() <= 1:
        return brightest
    alike = np.mean(cv2.absdiff(red, green)) <= near
    if alike and (not used[2] or np.mean(cv2.absdiff(green, blue)) <= near):
        return green
    raise UnreadableImageError(
        f"is a colour image (mean red {means[0]:.1f}, green {means[1]:.1f}, blue {means[2]:.1f}; expected grey, or one"
        " colour used). Save each stain as a separate grey file."
    )
