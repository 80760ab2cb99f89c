const ENDPOINTS = ['', 'TRACES_', 'METRICS_', 'LOGS_'].map((which) => `OTEL_EXPORTER_OTLP_${which}ENDPOINT`);

/** Whether the environment names a collector, in the variables that all programs with OpenTelemetry share. */
export function isTelemetryAsked(env: NodeJS.ProcessEnv): boolean {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  return ENDPOINTS.some((name) => (env[name] ?? '').trim() !== '');
}
