/** A busy machine must not look like a failure, of which docs/cluster.md has that messages may come late or twice. */
export const PATIENT_NODES = {
  PEER_TIMEOUT_MS: '20000',
  REDIS_TIMEOUT_MS: '10000',
  NODE_LEASE_SECONDS: '20',
}
