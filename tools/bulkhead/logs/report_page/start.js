function charts() {
  timeline();
  runTimeChart();
  throughputChart();
}

summary();
failures();
legend();
timelineInput();
detailsInput();
leaders('slowest', 'ran', duration);
leaders('largest', 'bytes', size);
leaders('hungriest', 'memory', size);
tableInput();
search();
charts();

let drawing = 0;
const drawSoon = () => { cancelAnimationFrame(drawing); drawing = requestAnimationFrame(charts); };
window.addEventListener('resize', drawSoon);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawSoon);
document.documentElement.dataset.drawn = 'yes';
