/**
 * A QR code as a PNG of one bit a pixel (W3C PNG, 3rd edition). The library's own renderer makes four bytes a pixel and
 * would hold up the event loop for as long as a hundred redirects take; this one copies rows.
 */
import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';

export interface QrModules {
  /** Modules on a side. */
  readonly size: number;
  /** 1 for a dark module, row by row. */
  readonly data: Uint8Array;
}

const compress = promisify(deflate);
const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * Every module is a square of whole pixels; what is left of the width is shared around.
 * @param quietModules light modules around the code, at least (ISO/IEC 18004 asks for 4)
 * @param widthPixels width and height of the image; it grows when a module would be smaller than a pixel
 */
export async function qrPng(modules: QrModules, quietModules: number, widthPixels: number): Promise<Buffer> {
  const { size } = modules;
  const scale = Math.max(1, Math.floor(widthPixels / (size + 2 * quietModules)));
  const width = Math.max(widthPixels, size + 2 * quietModules);
  const start = Math.floor((width - size * scale) / 2);
  // Each row begins with its filter: 0, none.
  const rowBytes = 1 + Math.ceil(width / 8);
  const pixels = Buffer.alloc(rowBytes * width, 0xff);
  for (let y = 0; y < width; y += 1) pixels[y * rowBytes] = 0;

  for (let row = 0; row < size; row += 1) {
    const first = (start + row * scale) * rowBytes;
    for (let column = 0; column < size; column += 1) {
      if (modules.data[row * size + column]) darken(pixels, first + 1, start + column * scale, scale);
    }
    for (let copy = 1; copy < scale; copy += 1) pixels.copyWithin(first + copy * rowBytes, first, first + rowBytes);
  }

  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(width, 4);
  // One bit a pixel, grey; compression, filter and interlace are the only or plainest there are: 0.
  header[8] = 1;
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', await compress(pixels)), chunk('IEND')]);
}

function darken(pixels: Buffer, rowStart: number, x: number, count: number): void {
  for (let pixel = x; pixel < x + count; pixel += 1) {
    const index = rowStart + (pixel >> 3);
    pixels[index] = (pixels[index] ?? 0) & ~(0x80 >> (pixel & 7));
  }
}

function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
