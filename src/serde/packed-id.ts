/** Ids in rows: a UUID in 23 characters instead of 36, any other id as it is. A million links have two each. */

const uuidLength = 36;
const packedLength = 23;
const dash = 0x2d;
const tilde = 0x7e;

const dashPlaces = [8, 13, 18, 23];
/** Where the 32 digits of a UUID stand. */
const digitPlaces = Uint8Array.from(
  Array.from({ length: uuidLength }, (_, at) => at).filter((at) => !dashPlaces.includes(at)),
);
/** The value of a hexadecimal digit in lower case by its character; 16 for all others. */
const digitValues = Uint8Array.from({ length: 128 }, (_, character) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(character));
  return value < 0 ? 16 : value;
});
const base64url = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const packed = Buffer.alloc(packedLength, tilde);

/** `~` and 16 bytes as base64url for a UUID in lower case. Another id that begins with `~` gets a second one. */
export function packId(id: string): string {
  if (id.length === uuidLength && packUuid(id)) return packed.toString('latin1');
  return id.startsWith('~') ? `~${id}` : id;
}

/** Into `packed`, three digits to two characters; false when it is no UUID in lower case. Every link folded has two. */
function packUuid(id: string): boolean {
  for (const at of dashPlaces) if (id.charCodeAt(at) !== dash) return false;
  let end = 1;
  let seen = 0;
  for (let at = 0; at < 33; at += 3) {
    const first = digitAt(id, at);
    const second = digitAt(id, at + 1);
    // Behind the last digit two bits are missing to the whole of a character, and four to the next: zeros.
    const third = at + 2 < 32 ? digitAt(id, at + 2) : 0;
    seen |= first | second | third;
    packed[end++] = base64url[(first << 2) | ((second & 15) >>> 2)] as number;
    packed[end++] = base64url[((second & 3) << 4) | (third & 15)] as number;
  }
  return (seen & 16) === 0;
}

function digitAt(id: string, index: number): number {
  return digitValues[id.charCodeAt(digitPlaces[index] as number)] ?? 16;
}

/** The reverse of {@link packId}. The text is trusted. */
export function unpackId(packed: string): string {
  if (!packed.startsWith('~')) return packed;
  if (packed.startsWith('~~')) return packed.slice(1);
  const hex = Buffer.from(packed.slice(1), 'base64url').toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
