const table = buildTable();

function buildTable(): Uint16Array {
  const entries = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
    entries[byte] = crc;
  }
  return entries;
}

/**
 * CRC-16/MODBUS (polynomial 0x8005 reflected, initial value 0xFFFF) of a string that holds one
 * byte a character. `123456789` gives `4B37`.
 *
 * @returns four upper-case hex digits, high byte first, as a board line carries them (README §1)
 */
export function crc16Hex(bytes: string): string {
  let crc = 0xffff;
  for (let index = 0; index < bytes.length; index++) {
    crc = (crc >>> 8) ^ (table[(crc ^ bytes.charCodeAt(index)) & 0xff] ?? 0);
  }
  return crc.toString(16).toUpperCase().padStart(4, '0');
}
