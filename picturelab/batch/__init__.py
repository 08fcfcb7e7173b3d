"""Thousands of pictures from a file of jobs, unattended, on one machine or many. Runs on POSIX, not on Windows.

Data flows one way: file -> `sources` -> `jobs` -> `plan` -> `dispatch` -> a crew of `engines` -> `worker` ->
`stores`. How a picture is made is an instrument's affair; instruments are found by
their entry points (`instruments`), so nothing here imports one.
"""
