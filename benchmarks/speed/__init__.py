"""What FouriScale costs beside direct sampling: time, multiply-adds and memory, in every mode."""
