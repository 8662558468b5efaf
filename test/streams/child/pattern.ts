/** A value of 10 to 6000 bytes that names its own number, so that a torn or misplaced one is recognised. */
export function patterned(number: bigint): Buffer {
  const value = Buffer.alloc(10 + Number((number * 977n) % 5991n), Number(number % 251n));
  value.writeBigUInt64BE(number);
  return value;
}
