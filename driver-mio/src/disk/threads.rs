//! Threads that run jobs.

use std::{
    any::Any,
    collections::VecDeque,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use gannet_protocol::Status;

use super::{MAX_WAITING, Pace, THREADS};

/// Called from a disk thread when results wait that nobody was told of.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// A few threads that run jobs in the order of their coming, each job giving a `T`.
///
/// Dropping it forgets the jobs that wait, lets those that run end, and joins the threads.
pub(crate) struct Threads<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
    received: VecDeque<Finished<T>>,
}

/// What a job gave, or the panic that ended it.
type Finished<T> = Result<T, Box<dyn Any + Send>>;

struct Shared<T> {
    queues: Mutex<Queues<T>>,
    /// Signalled when there is a job, or no more will come.
    ready: Condvar,
    wake: Wake,
}

struct Queues<T> {
    quick: VecDeque<Waiting<T>>,
    slow: VecDeque<Waiting<T>>,
    /// The number of the next job.
    next: u64,
    slow_running: usize,
    /// Threads that wait for a job. To wake nobody costs a call of the system, too.
    idle: usize,
    finished: VecDeque<Finished<T>>,
    stopping: bool,
}

struct Waiting<T> {
    number: u64,
    job: Box<dyn FnOnce() -> T + Send>,
}

impl<T: Send + 'static> Threads<T> {
    /// Without threads so far: until [`Self::start`], jobs wait.
    pub(crate) fn new(wake: Wake) -> Self {
        let queues = Queues {
            quick: VecDeque::new(),
            slow: VecDeque::new(),
            next: 0,
            slow_running: 0,
            idle: 0,
            finished: VecDeque::new(),
            stopping: false,
        };
        let shared = Arc::new(Shared { queues: Mutex::new(queues), ready: Condvar::new(), wake });
        Self { shared, threads: Vec::new(), received: VecDeque::new() }
    }

    /// Starts the threads, unless they run.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        for number in self.threads.len()..THREADS {
            let shared = Arc::clone(&self.shared);
            let name = format!("disk-{number}");
            self.threads.push(thread::Builder::new().name(name).spawn(move || shared.work())?);
        }
        Ok(())
    }

    /// Whether [`Self::submit`] will take another job. Only the caller's own submitting ends it.
    pub(crate) fn has_room(&self) -> bool {
        self.shared.lock().waiting() < MAX_WAITING
    }

    /// Queues a job.
    ///
    /// # Errors
    /// [`Status::Overloaded`] when too many wait; the job is dropped.
    pub(crate) fn submit(
        &mut self,
        pace: Pace,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(), Status> {
        let mut queues = self.shared.lock();
        if queues.waiting() >= MAX_WAITING {
            return Err(Status::Overloaded);
        }
        let waiting = Waiting { number: queues.next, job: Box::new(job) };
        queues.next += 1;
        match pace {
            Pace::Quick => queues.quick.push_back(waiting),
            Pace::Slow => queues.slow.push_back(waiting),
        }
        let is_awaited = queues.idle > 0;
        drop(queues);
        if is_awaited {
            self.shared.ready.notify_one();
        }
        Ok(())
    }

    /// A result, if there is one. Call it until there is none after each wake.
    ///
    /// # Panics
    /// If a job did, with its panic.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        if self.received.is_empty() {
            std::mem::swap(&mut self.received, &mut self.shared.lock().finished);
        }
        match self.received.pop_front()? {
            Ok(result) => Some(result),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<T> Shared<T> {
    /// The lock is never poisoned: jobs run outside it.
    fn lock(&self) -> MutexGuard<'_, Queues<T>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does from its start to its end.
    fn work(&self) {
        let mut queues = self.lock();
        while !queues.stopping {
            let Some((pace, job)) = queues.take() else {
                queues.idle += 1;
                queues = self.ready.wait(queues).unwrap_or_else(PoisonError::into_inner);
                queues.idle -= 1;
                continue;
            };
            drop(queues);
            let result = catch_unwind(AssertUnwindSafe(job));
            queues = self.lock();
            if pace == Pace::Slow {
                queues.slow_running -= 1;
            }
            queues.finished.push_back(result);
            if queues.finished.len() == 1 {
                drop(queues);
                (self.wake)();
                queues = self.lock();
            }
        }
    }
}

impl<T> Queues<T> {
    fn waiting(&self) -> usize {
        self.quick.len() + self.slow.len()
    }

    /// The job that came first, of those that may run now.
    fn take(&mut self) -> Option<(Pace, Box<dyn FnOnce() -> T + Send>)> {
        let slow = self.slow.front().filter(|_| self.slow_running < THREADS - 1);
        let is_slow = match (slow, self.quick.front()) {
            (Some(slow), Some(quick)) => slow.number < quick.number,
            (slow, _) => slow.is_some(),
        };
        if is_slow {
            self.slow_running += 1;
            return Some((Pace::Slow, self.slow.pop_front()?.job));
        }
        Some((Pace::Quick, self.quick.pop_front()?.job))
    }
}

impl<T> Drop for Threads<T> {
    fn drop(&mut self) {
        let mut queues = self.shared.lock();
        queues.stopping = true;
        let forgotten = (std::mem::take(&mut queues.quick), std::mem::take(&mut queues.slow));
        drop(queues);
        self.shared.ready.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        // What jobs hold is let go after the running ones ended, and outside the lock: that too may touch the disk.
        drop(forgotten);
    }
}

impl<T> fmt::Debug for Threads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    /// Disk threads, and a channel on which their waking is heard.
    fn disk<T: Send + 'static>() -> (Threads<T>, mpsc::Receiver<()>) {
        let (tell, told) = mpsc::channel();
        let mut disk = Threads::new(Arc::new(move || tell.send(()).unwrap_or_default()));
        disk.start().unwrap();
        (disk, told)
    }

    fn next<T: Send + 'static>(disk: &mut Threads<T>, told: &mpsc::Receiver<()>) -> T {
        loop {
            match disk.try_recv() {
                Some(result) => return result,
                None => told.recv().unwrap(),
            }
        }
    }

    #[test]
    fn every_job_gives_its_result() {
        let (mut disk, told) = disk();
        for i in 0..1000 {
            disk.submit(if i % 3 == 0 { Pace::Slow } else { Pace::Quick }, move || i).unwrap();
        }
        let mut results: Vec<i32> = (0..1000).map(|_| next(&mut disk, &told)).collect();
        results.sort_unstable();
        assert_eq!(results, (0..1000).collect::<Vec<_>>());
        assert_eq!(disk.try_recv(), None);
    }

    #[test]
    fn slow_jobs_leave_a_thread_to_the_quick() {
        let (mut disk, told) = disk();
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..2 * THREADS {
            let gate = Arc::clone(&gate);
            let wait = move || {
                let _ = gate.lock().unwrap().recv();
                "slow"
            };
            disk.submit(Pace::Slow, wait).unwrap();
        }
        disk.submit(Pace::Quick, || "quick").unwrap();
        assert_eq!(next(&mut disk, &told), "quick");
        drop(release);
        assert!((0..2 * THREADS).all(|_| next(&mut disk, &told) == "slow"));
    }

    #[test]
    fn a_drop_ends_what_runs_and_forgets_what_waits() {
        struct Held(Arc<AtomicUsize>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (mut disk, _told) = disk();
        let (started, wait_started) = mpsc::channel();
        let (dropped, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (release, gate) = mpsc::channel::<()>();
        let (held, end) = (Held(Arc::clone(&dropped)), Arc::clone(&ended));
        disk.submit(Pace::Quick, move || {
            started.send(()).unwrap();
            gate.recv().unwrap();
            end.store(true, Ordering::SeqCst);
            drop(held);
        })
        .unwrap();
        wait_started.recv().unwrap();
        for _ in 0..50 {
            let held = Held(Arc::clone(&dropped));
            disk.submit(Pace::Slow, move || drop(held)).unwrap();
        }
        release.send(()).unwrap();
        drop(disk);
        assert!(ended.load(Ordering::SeqCst));
        assert_eq!(dropped.load(Ordering::SeqCst), 51);
    }

    #[test]
    fn too_many_jobs_are_refused_until_some_are_done() {
        let (mut disk, told) = disk();
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let submit = |disk: &mut Threads<()>| {
            let gate = Arc::clone(&gate);
            disk.submit(Pace::Quick, move || gate.lock().unwrap().recv().unwrap_or_default())
        };
        let mut taken = 0;
        while submit(&mut disk).is_ok() {
            taken += 1;
        }
        assert!((MAX_WAITING..=MAX_WAITING + THREADS).contains(&taken));
        drop(release);
        (0..taken).for_each(|_| next(&mut disk, &told));
        assert!(disk.has_room());
    }

    #[test]
    #[should_panic(expected = "a job's own panic")]
    fn a_panic_comes_back() {
        let (mut disk, told) = disk::<()>();
        disk.submit(Pace::Quick, || panic!("a job's own panic")).unwrap();
        next(&mut disk, &told);
    }
}
