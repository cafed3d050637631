/** The 32 bits of an IPv4 address in dots, as everybody writes it: without leading zeros. -1 for every other text. */
export function ipv4Number(text: string): number {
  let number = 0;
  let part = -1;
  let dots = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit >= 0 && digit <= 9) {
      if (part === 0) return -1;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return -1;
    } else {
      if (digit !== -2 || part < 0) return -1;
      number = number * 256 + part;
      part = -1;
      dots++;
    }
  }
  return dots === 3 && part >= 0 ? number * 256 + part : -1;
}
