import { glob, inCidr } from './cel-functions.ts';

/** Methods without an argument that turn text into text. */
export const changes: Readonly<Record<string, ((value: string) => string) | undefined>> = {
  lowerAscii: (value) => value.toLowerCase(),
  upperAscii: (value) => value.toUpperCase(),
  trim: (value) => value.trim(),
};

/** Methods that test text against a literal. */
export const textTests: Readonly<
  Record<string, ((argument: string) => (value: string) => boolean) | undefined>
> = {
  startsWith: (argument) => (value) => value.startsWith(argument),
  endsWith: (argument) => (value) => value.endsWith(argument),
  contains: (argument) => (value) => value.includes(argument),
  glob: (argument) => (value) => glob(value, argument),
  inCidr: (argument) => (value) => inCidr(value, argument),
  matches: (argument) => {
    const pattern = new RegExp(argument);
    return (value) => pattern.test(value);
  },
};
