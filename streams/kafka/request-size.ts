/** One produce request; a larger record goes alone. */
export const REQUEST_BYTES = 4 * 1024 * 1024;
/** kafkajs copies the messages of a partition once for each of them: 50,000 in a request take a minute. */
export const REQUEST_RECORDS = 1_000;
