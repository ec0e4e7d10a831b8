// autocannon, told on stdin what to fire at, as a list; answers on stdout with a list of what it measured.
//
// Its own percentiles are whole milliseconds, and its correction for coordinated omission takes the interval of a
// connection in seconds for milliseconds. So what it measured of each answer is put into a histogram of microseconds
// here, corrected with the right interval. Sending, receiving and timing are autocannon's.
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import autocannon from 'autocannon'
import { build } from 'hdr-histogram-js'

async function fire ({ url, headers, connections, rate_per_s: rate, lead_s: lead, seconds }) {
  const latencies = build({ lowestDiscernibleValue: 1, highestTrackableValue: 120_000_000, numberOfSignificantValueDigits: 3 })
  const intervalUs = rate ? Math.round(connections / rate * 1e6) : 0
  let count = 0
  let failed = 0
  let cpu
  const began = performance.now()
  const from = began + lead * 1000
  const until = from + seconds * 1000
  const running = autocannon({
    url,
    headers,
    connections,
    duration: lead + seconds,
    sampleInt: 50,
    ...(rate ? { overallRate: rate } : {})
  })
  const opens = setTimeout(() => { cpu = process.cpuUsage() }, lead * 1000)
  const closes = setTimeout(() => { cpu = process.cpuUsage(cpu) }, (lead + seconds) * 1000)
  running.on('response', (_client, status, _bytes, ms) => {
    const now = performance.now()
    if (now < from || now >= until) return
    if (status !== 200) { failed++; return }
    count++
    const us = Math.max(1, Math.round(ms * 1000))
    if (intervalUs) latencies.recordValueWithExpectedInterval(us, intervalUs)
    else latencies.recordValue(us)
  })
  const { errors } = await running
  clearTimeout(opens)
  clearTimeout(closes)
  return {
    per_s: count / seconds,
    p50_ms: latencies.getValueAtPercentile(50) / 1000,
    p99_ms: latencies.getValueAtPercentile(99) / 1000,
    cpu_share: (cpu.user + cpu.system) / (seconds * 1e6),
    failed: failed + errors
  }
}

const found = []
for (const shot of JSON.parse(readFileSync(0, 'utf8'))) found.push(await fire(shot))
console.log(JSON.stringify(found))
