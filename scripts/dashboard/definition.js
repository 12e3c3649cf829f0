// The dashboard, to read and to change: then `npm run dashboard` writes helm/mics/files/dashboard.json.
//
// A row is a title and its panels. A panel is a title, a unit of Grafana's, and queries by their legend. In queries
// NODE stands for the choice of job and node, TENANT for that and the choice of tenant, RATE for a span of a rate.

/** @typedef {{ title: string, unit?: string, kind?: 'stat', queries: Record<string, string> }} Panel */
/** @typedef {{ title: string, panels: Panel[] }} Row */

const hookFailures = 'mics_hook_calls_total{TENANT, result!~"ok|denied|tenant_gone"}'

/** @type {Row[]} */
export const rows = [
  {
    title: 'Overview',
    panels: [
      { title: 'Nodes', kind: 'stat', queries: { nodes: 'count(mics_node_info{NODE})' } },
      { title: 'Clients connected', kind: 'stat', queries: { clients: 'sum(mics_connections{TENANT})' } },
      { title: 'Messages received', kind: 'stat', unit: 'mps', queries: { messages: 'sum(rate(mics_messages_received_total{TENANT}[RATE]))' } },
      { title: 'Acks that say FAILED', kind: 'stat', unit: 'percentunit', queries: { failed: 'sum(rate(mics_acks_total{TENANT, outcome="failed"}[RATE])) / sum(rate(mics_acks_total{TENANT}[RATE]))' } },
      { title: 'Hook calls that failed', kind: 'stat', unit: 'percentunit', queries: { failed: `sum(rate(${hookFailures}[RATE])) / sum(rate(mics_hook_calls_total{TENANT}[RATE]))` } },
      { title: 'Oldest event that waits', kind: 'stat', unit: 's', queries: { oldest: 'max(mics_events_oldest_age_seconds{TENANT}) or vector(0)' } },
      { title: 'Clients by node', queries: { '{{instance}}': 'sum by (instance) (mics_connections{TENANT})' } },
      { title: 'Messages in and out', unit: 'mps', queries: { received: 'sum(rate(mics_messages_received_total{TENANT}[RATE]))', 'handed on: {{path}}': 'sum by (path) (rate(mics_deliveries_total{TENANT}[RATE]))' } },
      { title: 'Acks', unit: 'mps', queries: { '{{outcome}}': 'sum by (outcome) (rate(mics_acks_total{TENANT}[RATE]))' } },
      { title: 'Time to the ack', unit: 's', queries: { '50 %': 'histogram_quantile(0.5, sum by (le) (rate(mics_message_ack_duration_seconds_bucket{NODE}[RATE])))', '99 %': 'histogram_quantile(0.99, sum by (le) (rate(mics_message_ack_duration_seconds_bucket{NODE}[RATE])))' } },
      { title: 'Versions', queries: { '{{version}}': 'count by (version) (mics_node_info{NODE})' } },
      { title: 'Why acks say FAILED', unit: 'mps', queries: { '{{reason}}': 'sum by (reason) (rate(mics_ack_failures_total{TENANT}[RATE]))' } },
      { title: 'Connections opened and closed', unit: 'cps', queries: { opened: 'sum(rate(mics_connections_opened_total{TENANT}[RATE]))', 'closed with {{code}}': 'sum by (code) (rate(mics_connection_closes_total{TENANT}[RATE]))' } },
      { title: 'Doing without Redis', unit: 'ops', queries: { 'let in': 'sum(rate(mics_admission_degraded_total{NODE}[RATE]))', 'not made known': 'sum(rate(mics_unregistered_connections_total{NODE}[RATE]))', routes: 'sum(rate(mics_route_lookups_degraded_total{NODE}[RATE]))', repeats: 'sum(rate(mics_dedup_degraded_total{NODE}[RATE]))', 'rate limit': 'sum(rate(mics_rate_limit_degraded_total{NODE}[RATE]))' } },
    ],
  },
  {
    title: 'Per tenant',
    panels: [
      { title: 'Clients', queries: { '{{tenant}}': 'sum by (tenant) (mics_connections{TENANT})' } },
      { title: 'Share of the limit of connections', unit: 'percentunit', queries: { '{{tenant}}': 'sum by (tenant) (mics_connections{TENANT}) / max by (tenant) (mics_tenant_connections_limit{TENANT})' } },
      { title: 'Messages received', unit: 'mps', queries: { '{{tenant}}': 'sum by (tenant) (rate(mics_messages_received_total{TENANT}[RATE]))' } },
      { title: 'Share of the limit of messages a second', unit: 'percentunit', queries: { '{{tenant}}': 'sum by (tenant) (rate(mics_messages_received_total{TENANT}[RATE])) / max by (tenant) (mics_tenant_messages_per_second_limit{TENANT})' } },
      { title: 'Refused by a limit', unit: 'ops', queries: { '{{tenant}} {{kind}}': 'sum by (tenant, kind) (rate(mics_rate_limited_total{TENANT}[RATE])) > 0' } },
      { title: 'Connections refused: denied (4001), over a limit (4429), come later (4503)', unit: 'cps', queries: { '{{tenant}} {{code}}': 'sum by (tenant, code) (rate(mics_connection_closes_total{TENANT, code=~"4001|4429|4503"}[RATE])) > 0' } },
      { title: 'Connections cut: slow (4101), silent (4100)', unit: 'cps', queries: { '{{tenant}} {{code}}': 'sum by (tenant, code) (rate(mics_connection_closes_total{TENANT, code=~"4100|4101"}[RATE])) > 0' } },
      { title: 'Frames that are none', unit: 'ops', queries: { '{{tenant}} {{code}}': 'sum by (tenant, code) (rate(mics_frame_errors_total{TENANT}[RATE]))' } },
      { title: 'Repeats', unit: 'mps', queries: { '{{tenant}} {{kind}}': 'sum by (tenant, kind) (rate(mics_dedup_hits_total{TENANT}[RATE])) > 0' } },
      { title: 'Offline messages waiting', queries: { '{{tenant}}': 'sum by (tenant) (mics_offline_messages{TENANT})' } },
      { title: 'Their bytes', unit: 'bytes', queries: { '{{tenant}}': 'sum by (tenant) (mics_offline_bytes{TENANT})' } },
      { title: 'Offline messages in and out', unit: 'mps', queries: { 'kept: {{tenant}}': 'sum by (tenant) (rate(mics_offline_buffered_total{TENANT}[RATE]))', 'delivered: {{tenant}}': 'sum by (tenant) (rate(mics_offline_delivered_total{TENANT}[RATE]))' } },
      { title: 'Offline messages not delivered', unit: 'mps', queries: { '{{tenant}} {{reason}}': 'sum by (tenant, reason) (rate(mics_offline_evicted_total{TENANT}[RATE])) > 0', '{{tenant}} lost with a node': 'sum by (tenant) (rate(mics_offline_lost_total{TENANT}[RATE])) > 0', '{{tenant}} not kept': 'sum by (tenant) (rate(mics_offline_skipped_total{TENANT}[RATE])) > 0' } },
    ],
  },
  {
    title: 'Per node',
    panels: [
      { title: 'Event loop lag, 99th percentile', unit: 's', queries: { '{{instance}} {{worker}}': 'histogram_quantile(0.99, sum by (instance, worker, le) (rate(mics_event_loop_lag_seconds_bucket{NODE}[RATE])))' } },
      { title: 'Processor, of one core', unit: 'percentunit', queries: { '{{instance}} {{worker}}': 'rate(process_cpu_seconds_total{NODE}[RATE]) and on (job, instance) mics_node_info' } },
      { title: 'Memory', unit: 'bytes', queries: { 'resident: {{instance}} {{worker}}': 'process_resident_memory_bytes{NODE} and on (job, instance) mics_node_info', 'heap: {{instance}} {{worker}}': 'nodejs_heap_size_used_bytes{NODE} and on (job, instance) mics_node_info' } },
      { title: 'Memory, share of the limit', unit: 'percentunit', queries: { 'of the container: {{instance}}': 'sum by (job, instance) ({__name__=~"process_resident_memory_bytes|mics_primary_resident_memory_bytes", NODE}) / max by (job, instance) (mics_memory_limit_bytes{NODE})', 'of the heap: {{instance}} {{worker}}': 'nodejs_heap_size_used_bytes{NODE} / mics_heap_limit_bytes{NODE}' } },
      { title: 'File descriptors, share of the limit', unit: 'percentunit', queries: { '{{instance}} {{worker}}': 'process_open_fds{NODE} / process_max_fds{NODE} and on (job, instance) mics_node_info' } },
      { title: 'Clients waiting for their auth hook', queries: { '{{instance}} {{worker}}': 'mics_handshakes_in_progress{NODE}' } },
      { title: 'Sent messages remembered', queries: { '{{instance}} {{worker}}': 'mics_dedup_entries{NODE}' } },
      { title: 'Workers that do not answer', queries: { '{{instance}} {{worker}}': 'mics_worker_up{NODE} == 0' } },
      { title: 'Workers started again', queries: { '{{instance}} {{worker}}': 'increase(mics_worker_restarts_total{NODE}[RATE])' } },
      { title: 'Stopping', queries: { 'draining: {{instance}} {{worker}}': 'mics_draining{NODE}' } },
      { title: 'Changes of the tenants file', queries: { '{{instance}} {{worker}} {{result}}': 'increase(mics_tenants_file_reloads_total{NODE}[RATE])' } },
    ],
  },
  {
    title: 'Hooks',
    panels: [
      { title: 'Calls', unit: 'ops', queries: { '{{operation}}': 'sum by (operation) (rate(mics_hook_calls_total{TENANT}[RATE]))' } },
      { title: 'Time of a call, all tenants', unit: 's', queries: { '50 %: {{operation}}': 'histogram_quantile(0.5, sum by (operation, le) (rate(mics_hook_call_duration_seconds_bucket{NODE}[RATE])))', '99 %: {{operation}}': 'histogram_quantile(0.99, sum by (operation, le) (rate(mics_hook_call_duration_seconds_bucket{NODE}[RATE])))' } },
      { title: 'Mean time of a call', unit: 's', queries: { '{{tenant}} {{operation}}': 'sum by (tenant, operation) (rate(mics_hook_call_seconds_total{TENANT}[RATE])) / sum by (tenant, operation) (rate(mics_hook_calls_total{TENANT}[RATE]))' } },
      { title: 'Calls that failed', unit: 'percentunit', queries: { '{{tenant}} {{operation}}': `sum by (tenant, operation) (rate(${hookFailures}[RATE])) / sum by (tenant, operation) (rate(mics_hook_calls_total{TENANT}[RATE]))` } },
      { title: 'Why they failed', unit: 'ops', queries: { '{{tenant}} {{operation}} {{result}}': `sum by (tenant, operation, result) (rate(${hookFailures}[RATE])) > 0` } },
      { title: 'Breakers: 1 open, 2 half-open', queries: { '{{tenant}} {{operation}}': 'max by (tenant, operation) (mics_hook_breaker_state{TENANT})' } },
      { title: 'Messages allowed without an answer', unit: 'mps', queries: { '{{tenant}}': 'sum by (tenant) (rate(mics_check_message_degraded_total{TENANT}[RATE]))' } },
      { title: 'What is wrong with pulled offline messages', unit: 'ops', queries: { '{{tenant}} {{kind}}': 'sum by (tenant, kind) (rate(mics_offline_pull_problems_total{TENANT}[RATE]))' } },
    ],
  },
  {
    title: 'Cluster',
    panels: [
      { title: 'Members that each node sees', queries: { '{{instance}} {{worker}}': 'mics_cluster_members{NODE}' } },
      { title: 'Nodes that died', queries: { died: 'sum(increase(mics_dead_nodes_removed_total{NODE}[RATE]))' } },
      { title: 'Sent to other nodes', unit: 'ops', queries: { '{{kind}}': 'sum by (kind) (rate(mics_peer_items_total{NODE}[RATE]))' } },
      { title: 'Not answered by other nodes', unit: 'ops', queries: { '{{instance}} {{kind}} {{result}}': 'sum by (instance, kind, result) (rate(mics_peer_items_total{NODE, result!="answered"}[RATE])) > 0' } },
      { title: 'Breakers of other nodes: 1 open, 2 half-open', queries: { '{{instance}} {{worker}} to {{peer}}': 'mics_peer_breaker_state{NODE}' } },
      { title: 'Waiting for other nodes', unit: 'bytes', queries: { '{{instance}} {{worker}} to {{peer}}': 'mics_peer_queue_bytes{NODE}' } },
      { title: 'Redis answers', queries: { '{{instance}} {{worker}}': 'mics_redis_up{NODE}' } },
      { title: 'Calls to Redis that failed', unit: 'ops', queries: { '{{instance}} {{operation}}': 'sum by (instance, operation) (rate(mics_redis_failures_total{NODE}[RATE]))' } },
      { title: 'Calls waiting for Redis', queries: { '{{instance}} {{worker}}': 'mics_redis_calls_in_flight{NODE}' } },
      { title: 'Redis is yet to be told', queries: { 'connections, {{kind}}': 'sum by (kind) (mics_registrations_outstanding{NODE})', 'offline messages': 'sum(mics_offline_index_outstanding{NODE})', doubtful: 'sum(mics_routes_doubtful{NODE})' } },
      { title: 'Offline messages handed over', unit: 'mps', queries: { '{{instance}} {{worker}}': 'rate(mics_offline_handed_over_total{NODE}[RATE])' } },
      { title: 'Turned away at NODE_PORT', unit: 'ops', queries: { '{{instance}} {{worker}} {{reason}}': 'rate(mics_node_rpc_refused_total{NODE}[RATE])' } },
    ],
  },
  {
    title: 'Events',
    panels: [
      { title: 'Published', unit: 'ops', queries: { '{{tenant}}': 'sum by (tenant) (rate(mics_events_published_total{TENANT}[RATE]))' } },
      { title: 'Waiting', queries: { '{{tenant}}': 'sum by (tenant) (mics_events_pending{TENANT})' } },
      { title: 'Oldest that waits', unit: 's', queries: { '{{tenant}}': 'max by (tenant) (mics_events_oldest_age_seconds{TENANT})' } },
      { title: 'Dropped', unit: 'ops', queries: { '{{tenant}} {{reason}}': 'sum by (tenant, reason) (rate(mics_events_dropped_total{TENANT}[RATE])) > 0' } },
      { title: 'Dead letters and retries', unit: 'ops', queries: { 'dead letters: {{tenant}}': 'sum by (tenant) (rate(mics_events_dead_lettered_total{TENANT}[RATE]))', 'retries: {{tenant}}': 'sum by (tenant) (rate(mics_events_retried_total{TENANT}[RATE]))' } },
      { title: 'Kafka answers', queries: { '{{instance}} {{worker}}': 'mics_kafka_up{NODE}' } },
      { title: 'Time for a record to be stored', unit: 's', queries: { '50 %': 'histogram_quantile(0.5, sum by (le) (rate(mics_kafka_record_duration_seconds_bucket{NODE}[RATE])))', '99 %': 'histogram_quantile(0.99, sum by (le) (rate(mics_kafka_record_duration_seconds_bucket{NODE}[RATE])))' } },
      { title: 'Records that Kafka did not take', unit: 'ops', queries: { '{{fault}}': 'sum by (fault) (rate(mics_kafka_record_failures_total{NODE}[RATE]))' } },
    ],
  },
]
