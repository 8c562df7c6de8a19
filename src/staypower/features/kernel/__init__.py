"""The compiled routines that turn rows into numbers for every account and every cutoff at once.

They see arrays only and import nothing of this package but the way of compiling: rows sorted by account and instant, how many
of them come before each limit in time, and for rows that become known later the number of the first cutoff that knows them.
Which those are is decided by `cutoffs` and `crossings`.

- `lists` brings the rows of an account together, lists those that a group of features reads, and finds the stretch of the list
  that each window is.
- `counts`, `stretches` and `values` answer for all pairs of account and cutoff: mostly differences of running counts and sums,
  else short walks over a stretch, so that fifty cutoffs cost little more than one.
"""
