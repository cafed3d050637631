/** Ids in rows: a UUID in 23 characters instead of 36, any other id as it is. A million links have two each. */

const canonicalUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** `~` and 16 bytes as base64url for a UUID in lower case. Another id that begins with `~` gets a second one. */
export function packId(id: string): string {
  if (id.length === 36 && canonicalUuid.test(id)) {
    return `~${Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')}`;
  }
  return id.startsWith('~') ? `~${id}` : id;
}

/** The reverse of {@link packId}. The text is trusted. */
export function unpackId(packed: string): string {
  if (!packed.startsWith('~')) return packed;
  if (packed.startsWith('~~')) return packed.slice(1);
  const hex = Buffer.from(packed.slice(1), 'base64url').toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
