"""Does the weather allow this energy? Integer-only verdicts over meter readings.

    reading   one reading, from text to integers, and the signed form's text, hash and root
    device    what must be known about a plant
    intake    the readings of one UTC day on their grid, smallest claim first
    tables    sine, cube root and sky tables, all made by integer arithmetic
    solar     sun position, light on a tilted plane, what a solar plant should yield
    wind      density-corrected wind, what a turbine should yield
    clock     does the plant's clock agree with the sun?
    health    is the evidence itself broken?  -> hold
    physics   is the claim impossible?        -> reject
    profile   the frozen baseline of a plant, fitted once on its commissioning window
    verdict   a day: accept, hold or reject, with reasons and Wh
    link      a witness's curve to a plant, frozen at commissioning
    neighbours, climate   the witnesses: power of other plants, wind of a reanalysis
    wind_clock  does a wind logger agree with independent wind?
    windows   7, 30 and 90 days, and a slow ramp
    ladder    what is certifiable at once, later, never
    finished  the day verdicts of a finished run, reviewed by witnesses and windows
    words     the reasons in sentences
    file_run  CSV files to verdicts, the core of `wattest verify`

Every validator computes the same bytes from the same readings, so nothing here knows a float, a clock or a file.
"""
