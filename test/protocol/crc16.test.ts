import { expect, test } from 'vitest';
import { crc16Hex } from '../../protocol/crc16.ts';

const bytes = (hex: string): string => Buffer.from(hex.replaceAll(' ', ''), 'hex').toString('latin1');

// The check value of the catalogue of CRCs, and Modbus requests as makers' sheets print them (low byte first there).
test.each([
  { of: 'the check string', given: '123456789', crc: '4B37' },
  { of: 'nothing', given: '', crc: 'FFFF' },
  { of: 'a request whose sum begins with a zero', given: bytes('01 03 00 00 00 01'), crc: '0A84' },
  { of: 'a request for ten registers', given: bytes('01 03 00 00 00 0A'), crc: 'CDC5' },
  { of: 'a request with a high byte', given: bytes('11 03 00 6B 00 03'), crc: '8776' },
])('CRC-16/MODBUS of $of is $crc', ({ given, crc }) => {
  expect(crc16Hex(given)).toBe(crc);
});
