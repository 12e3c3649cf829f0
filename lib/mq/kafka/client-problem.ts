/** What a line of librdkafka's log says, without the thread before it and the client's state behind it. */
export function problemOf (message: string): string {
  return message.replace(/^\[thrd:[^\]]*\]: /, '').replace(/ \(after \d+ms in state .*$/, '')
}
